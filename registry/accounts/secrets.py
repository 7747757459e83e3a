"""Personal access tokens and robots' secrets: made once, shown once, limited, expiring, revoked.

Only a secret's hash is kept. A robot has two live secrets at most, so that the next one can be rolled out while the one
before still works.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from auth.policy import ALL, NONE, Right, rights_text
from auth.secrets import SecretKind, hash_secret, kind_of, new_id, new_secret
from registry.accounts.errors import AccountsError, shown
from registry.accounts.lookup import every_account, find_holder
from registry.audit import Audit, Origin
from registry.catalog.accounts import Account
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.credentials import Credential
from registry.catalog.errors import NotFound
from registry.oci.names import InvalidName, RepositoryName

LIFETIME = timedelta(days=90)
LONGEST = timedelta(days=3650)
MOST = {"user": 50, "robot": 2}
LABEL_LIMIT = 64
PATTERN_LIMIT = 32

_MICROSECOND = timedelta(microseconds=1)
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_KINDS = {"user": SecretKind.PAT, "robot": SecretKind.ROBOT}
_STORED = {"user": "pat", "robot": "robot"}


@dataclass(frozen=True, slots=True)
class Issued:
    """A new secret, which is nowhere else and never to be had again."""

    credential: Credential
    owner: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Owned:
    """A credential and whose it is; `state` is `live`, `disabled` (with its owner), `expired` or `revoked`."""

    credential: Credential
    owner: str
    state: str


class Secrets:
    """Administers personal access tokens and robots' secrets."""

    def __init__(self, catalog: Catalog, audit: Audit) -> None:
        self._catalog = catalog
        self._audit = audit

    def issue(
        self,
        owner: str,
        origin: Origin,
        *,
        label: str = "",
        rights: Right = ALL,
        repositories: Iterable[str] = (),
        lifetime: timedelta | None = LIFETIME,
    ) -> Issued:
        """Make a secret.

        Args:   owner: a user or a robot; rights, repositories: what it is narrowed to, no repositories: nothing;
                lifetime: None for one that does not expire, which only a user's may.
        Raises: AccountsError.
        """
        patterns = checked_patterns(repositories)
        _check(label, rights, lifetime)
        with self._audit.begin(origin) as change:
            account = find_holder(change.tx, owner)
            _refuse_issue(change.tx, account, lifetime)
            secret = new_secret(_KINDS[account.kind])
            credential = change.tx.credentials.add(
                new_id(),
                account.id,
                kind=_STORED[account.kind],
                secret_hash=hash_secret(secret),
                label=label,
                rights=None if Right.ADMIN in rights else rights.value,
                repositories=patterns or None,
                expires_at=None if lifetime is None else change.tx.now + lifetime // _MICROSECOND,
            )
            change.record("token.create", reason=_told(credential, account))
        return Issued(credential, account.name, secret)

    def list(self, owner: str | None = None) -> list[Owned]:
        """List the credentials of one account, or of all: docker logins too, and what is over. Raises AccountsError."""
        with self._catalog.read() as tx:
            if owner is not None:
                accounts: Iterable[Account] = [find_holder(tx, owner)]
            else:
                accounts = [*every_account(tx, "user"), *every_account(tx, "robot")]
            return [
                Owned(credential, account.name, _state(credential, account, tx.now))
                for account in accounts
                for credential in tx.credentials.of(account.id)
            ]

    def revoke(self, which: str, origin: Origin) -> Owned:
        """Make a secret useless, by its id or by the secret itself, such as one that was found where it should not be.

        Raises: AccountsError.
        """
        with self._audit.begin(origin) as change:
            credential, account = _find(change.tx, which)
            change.tx.credentials.revoke(credential.id)
            change.record("token.revoke", reason=_told(credential, account))
        return Owned(credential, account.name, "revoked")


def checked_patterns(texts: Iterable[str]) -> tuple[str, ...]:
    """Check what a credential is narrowed to: `team/app`, or `team/*` for all below. Raises AccountsError."""
    patterns = tuple(dict.fromkeys(texts))
    if len(patterns) > PATTERN_LIMIT:
        raise AccountsError(f"a token is limited to {PATTERN_LIMIT} repositories or patterns at most")
    for pattern in patterns:
        try:
            RepositoryName.parse(pattern.removesuffix("/*"))
        except InvalidName:
            raise AccountsError(
                "a token is limited to repositories such as team/app, or to all below a name, such as team/*;"
                f" got {shown(pattern)}"
            ) from None
    return patterns


def _check(label: str, rights: Right, lifetime: timedelta | None) -> None:
    if len(label) > LABEL_LIMIT or not label.isprintable():
        raise AccountsError(f"a label has at most {LABEL_LIMIT} printable characters")
    if any(kind.value in label for kind in SecretKind):
        raise AccountsError("a label is shown in lists; do not put a secret in it")
    if rights == NONE:
        raise AccountsError("a token without any right is of no use; give it some, such as --rights pull")
    if lifetime is not None and not timedelta(0) < lifetime <= LONGEST:
        raise AccountsError(f"a token expires after {LONGEST.days} days at the latest, and not at once")


def _refuse_issue(tx: Transaction, account: Account, lifetime: timedelta | None) -> None:
    if account.disabled:
        raise AccountsError(f"{account.name} is disabled; first: moorage {account.kind} enable {account.name}")
    if lifetime is None and account.kind == "robot":
        raise AccountsError("a robot's secret has to expire; name a time, such as --expires 90d")
    if tx.credentials.live_count(account.id, _STORED[account.kind]) >= MOST[account.kind]:
        raise AccountsError(
            f"{account.name} has {MOST[account.kind]} live secrets, which is the most there can be; revoke one first"
            f" (`moorage token list {account.name}`): moorage token revoke ID"
        )


def _find(tx: Transaction, which: str) -> tuple[Credential, Account]:
    try:
        if kind_of(which) is not None:
            return tx.credentials.by_hash(hash_secret(which))
        return tx.credentials.get(which)
    except NotFound:
        name = f"the id {which}" if _ID.fullmatch(which) else "that id, and none that is that secret"
        raise AccountsError(f"there is no token with {name}; `moorage token list` shows the ids") from None


def _state(credential: Credential, account: Account, now: int) -> str:
    if credential.revoked_at is not None:
        return "revoked"
    if credential.expires_at is not None and credential.expires_at <= now:
        return "expired"
    return "disabled" if account.disabled else "live"


def _told(credential: Credential, account: Account) -> str:
    """Say which secret it is, for the trail; what it is narrowed to, and never the secret."""
    rights = "all rights" if credential.rights is None else rights_text(Right(credential.rights))
    where = " on " + " ".join(credential.repositories) if credential.repositories else ""
    return f"{credential.id} of {account.name}: {rights}{where}"
