"""Credentials: access tokens, robots' secrets and refresh tokens, found by the hash of their secret.

The secrets are 256 random bits, so a plain SHA-256 is all that is kept, and is a key that can be looked up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, or_, select, update

from registry.catalog import tables
from registry.catalog.accounts import Account, account_columns, account_of, with_organization
from registry.catalog.errors import NotFound

_row = tables.credential
_columns = tuple(column for column in _row.c if column.name != "secret_hash")
_alone = select(*_columns)
_pairs = with_organization(
    select(*_columns, *(column for column in account_columns if column.name != "account_id")).join(
        tables.account, tables.account.c.id == _row.c.account_id
    )
)
_by_hash = _pairs.where(_row.c.secret_hash == bindparam("secret_hash"))
_by_id = _pairs.where(_row.c.id == bindparam("id"))
_of = _alone.where(_row.c.account_id == bindparam("account")).order_by(_row.c.created_at, _row.c.id)
_live_count = select(func.count()).where(
    _row.c.account_id == bindparam("account"),
    _row.c.kind == bindparam("kind"),
    _row.c.revoked_at.is_(None),
    or_(_row.c.expires_at.is_(None), _row.c.expires_at > bindparam("now")),
)
_revoke = update(_row).values(revoked_at=func.coalesce(_row.c.revoked_at, bindparam("now")))
_note_used = (
    update(_row)
    .where(
        _row.c.id == bindparam("credential"),
        or_(_row.c.last_used_at.is_(None), _row.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"), last_used_from=bindparam("address"))
)


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential without its secret. `kind` is `pat`, `robot` or `refresh`; times in µs since 1970.

    `rights` and `repositories` are what it is limited to, None where that is nothing; `service` is what a refresh token
    was issued for.
    """

    id: str
    account_id: int
    kind: str
    label: str
    rights: int | None
    repositories: tuple[str, ...] | None
    service: str | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    last_used_from: str | None


class Credentials:
    """The credentials, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def add(
        self,
        credential_id: str,
        account_id: int,
        kind: str,
        *,
        secret_hash: str,
        label: str = "",
        rights: int | None = None,
        repositories: tuple[str, ...] | None = None,
        service: str | None = None,
        expires_at: int | None = None,
    ) -> Credential:
        """Keep a new credential."""
        row = {
            "id": credential_id,
            "account_id": account_id,
            "kind": kind,
            "secret_hash": secret_hash,
            "label": label,
            "rights": rights,
            "repositories": None if repositories is None else orjson.dumps(repositories).decode(),
            "service": service,
            "created_at": self._now,
            "expires_at": expires_at,
        }
        return _credential_of(self._connection.execute(insert(_row).values(row).returning(*_columns)).one())

    def by_hash(self, secret_hash: str) -> tuple[Credential, Account]:
        """Find a credential and whose it is by its secret's hash, revoked and expired ones too. Raises NotFound."""
        return self._one(_by_hash, {"secret_hash": secret_hash})

    def get(self, credential_id: str) -> tuple[Credential, Account]:
        """Find a credential and whose it is by its id, revoked and expired ones too. Raises NotFound."""
        return self._one(_by_id, {"id": credential_id})

    def of(self, account_id: int) -> list[Credential]:
        """List an account's credentials, the oldest first, revoked and expired ones too."""
        return [_credential_of(row) for row in self._connection.execute(_of, {"account": account_id})]

    def live_count(self, account_id: int, kind: str) -> int:
        """Count those credentials of a kind that an account can use now."""
        parameters = {"account": account_id, "kind": kind, "now": self._now}
        return int(self._connection.execute(_live_count, parameters).scalar_one())

    def revoke(self, credential_id: str) -> None:
        """Make a credential useless from now on; one that is so already keeps its time. Raises NotFound."""
        revoked = self._connection.execute(_revoke.where(_row.c.id == credential_id), {"now": self._now})
        if not revoked.rowcount:
            raise NotFound(credential_id)

    def revoke_all(self, account_id: int, kind: str | None = None) -> int:
        """Make an account's credentials useless, of one kind or of all; tells how many there were to revoke."""
        statement = _revoke.where(_row.c.account_id == account_id, _row.c.revoked_at.is_(None))
        if kind is not None:
            statement = statement.where(_row.c.kind == kind)
        return self._connection.execute(statement, {"now": self._now}).rowcount

    def note_used(self, uses: Iterable[tuple[str, int, str]]) -> None:
        """Note for each (credential, time in µs since 1970, address) that it was used then; the latest time stays."""
        rows = [{"credential": used, "at": at, "address": address} for used, at, address in sorted(uses)]
        if rows:
            self._connection.execute(_note_used, rows)

    def purge(self, before: int) -> int:
        """Forget the refresh tokens that were revoked or ran out before `before` (µs since 1970); tells how many."""
        over = or_(_row.c.expires_at < before, _row.c.revoked_at < before)
        return self._connection.execute(delete(_row).where(_row.c.kind == "refresh", over)).rowcount

    def _one(self, query: Select[*tuple[Any, ...]], parameters: dict[str, object]) -> tuple[Credential, Account]:
        row = self._connection.execute(query, parameters).one_or_none()
        if row is None:
            raise NotFound("no such credential")
        return _credential_of(row), account_of(row)


def _credential_of(row: Row[*tuple[Any, ...]]) -> Credential:
    return Credential(
        id=row.id,
        account_id=row.account_id,
        kind=row.kind,
        label=row.label,
        rights=row.rights,
        repositories=None if row.repositories is None else tuple(orjson.loads(row.repositories)),
        service=row.service,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        last_used_from=row.last_used_from,
    )
