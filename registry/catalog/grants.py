"""Grants: which rights a user, a robot or a team has on a namespace or on one repository.

Rights are the bits of `auth.policy.Right`, and what follows from them is that module's business.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, or_, select, union

from auth.policy import Right
from registry.catalog import tables
from registry.catalog.upserts import Upsert

ADMINISTRATORS_SHOWN = 5

_row, _account, _repository = tables.access_grant, tables.account, tables.repository
_team, _team_member, _member = tables.team, tables.team_member, tables.organization_member
_organization = tables.account.alias("organization")

_targets = select(_row.c.namespace, _repository.c.name, _row.c.rights).outerjoin(
    _repository, _repository.c.id == _row.c.repository_id
)
_direct = _targets.where(_row.c.account_id == bindparam("account"))
_through_teams = _targets.join(_team_member, _team_member.c.team_id == _row.c.team_id).where(
    _team_member.c.account_id == bindparam("account")
)
_of = _direct.union_all(_through_teams)
_lines = (
    select(
        _row.c.id,
        func.coalesce(_account.c.name, _organization.c.name + "/" + _team.c.name).label("subject"),
        func.coalesce(_account.c.kind, "team").label("kind"),
        func.coalesce(_repository.c.name, _row.c.namespace + "/*").label("target"),
        _row.c.rights,
        _row.c.granted_at,
        _row.c.granted_by,
    )
    .outerjoin(_account, _account.c.id == _row.c.account_id)
    .outerjoin(_team, _team.c.id == _row.c.team_id)
    .outerjoin(_organization, _organization.c.id == _team.c.organization_id)
    .outerjoin(_repository, _repository.c.id == _row.c.repository_id)
)
_page = _lines.where(_row.c.id > bindparam("after")).order_by(_row.c.id).limit(bindparam("limit"))
_on_target = or_(_row.c.namespace == bindparam("namespace"), _row.c.repository_id == bindparam("repository_id"))
_on = _lines.where(_on_target).order_by(_row.c.id)

_people = select(_account.c.name).where(_account.c.kind == "user", _account.c.disabled_at.is_(None))
_granted = _people.join(_row, _row.c.account_id == _account.c.id).where(
    _row.c.rights.bitwise_and(Right.ADMIN.value) != 0
)
_administrators = union(
    _people.where(_account.c.name == bindparam("namespace")),
    _people.join(_member, _member.c.account_id == _account.c.id)
    .join(_organization, _organization.c.id == _member.c.organization_id)
    .where(_organization.c.name == bindparam("namespace"), _member.c.role == "owner"),
    _granted.where(_row.c.namespace == bindparam("namespace")),
    _granted.join(_repository, _repository.c.id == _row.c.repository_id).where(
        _repository.c.name == bindparam("repository")
    ),
)
_administrators_shown = _administrators.order_by("name").limit(ADMINISTRATORS_SHOWN)

_put: Mapping[tuple[str, ...], Upsert] = MappingProxyType(
    {
        pair: Upsert(_row, pair, changed=("rights", "granted_at", "granted_by"))
        for pair in product(("account_id", "team_id"), ("namespace", "repository_id"))
    }
)


@dataclass(frozen=True, slots=True)
class GrantTarget:
    """Who gets rights on what: an account or a team, on a namespace or a repository."""

    account_id: int | None = None
    team_id: int | None = None
    namespace: str | None = None
    repository_id: int | None = None

    def columns(self) -> dict[str, int | str]:
        """Give what is set. Raises ValueError unless it is exactly one of each pair."""
        if (self.account_id is None) == (self.team_id is None) or (self.namespace is None) == (
            self.repository_id is None
        ):
            raise ValueError("a grant is to exactly one account or team, on exactly one namespace or repository")
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Grants:
    """All that an account was granted, itself or through its teams: rights by namespace and by repository."""

    namespaces: dict[str, int]
    repositories: dict[str, int]


@dataclass(frozen=True, slots=True)
class GrantLine:
    """One grant, for people: `subject` is `ada`, `team+ci` or `team/core`; `target` is `team/*` or `team/app`.

    `kind` is `user`, `robot` or `team`; `granted_at` is in µs since 1970.
    """

    id: int
    subject: str
    kind: str
    target: str
    rights: int
    granted_at: int
    granted_by: str


class GrantTable:
    """The grants, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def put(self, target: GrantTarget, rights: int, *, by: str) -> None:
        """Grant exactly these rights, whatever was granted there before; 0 takes all of them away.

        Raises: ValueError unless the target names exactly one subject and one place.
        """
        named = target.columns()
        if not rights:
            self._connection.execute(delete(_row).where(*(_row.c[name] == value for name, value in named.items())))
            return
        statement = _put[tuple(named)].on(self._connection)
        self._connection.execute(statement, {"rights": rights, "granted_at": self._now, "granted_by": by, **named})

    def of(self, account_id: int) -> Grants:
        """Give what an account was granted, itself or through teams; ownership of organisations is not in it."""
        found = Grants({}, {})
        for namespace, repository, rights in self._connection.execute(_of, {"account": account_id}):
            where, name = (found.repositories, repository) if namespace is None else (found.namespaces, namespace)
            where[name] = where.get(name, 0) | rights
        return found

    def on(self, repository_id: int | None, namespace: str | None) -> list[GrantLine]:
        """List the grants on a repository and those on a namespace, the oldest first; None asks for none of those."""
        return self._listed(_on, {"repository_id": repository_id, "namespace": namespace})

    def page(self, after: int, limit: int) -> list[GrantLine]:
        """List up to `limit` grants whose ids come after `after`."""
        return self._listed(_page, {"after": after, "limit": limit})

    def administrators_of(self, repository: str, namespace: str) -> list[str]:
        """Name a few users who can grant rights on a repository: its namespace's owners, and who was granted that."""
        parameters = {"repository": repository, "namespace": namespace}
        return list(self._connection.execute(_administrators_shown, parameters).scalars())

    def _listed(self, query: Select[*tuple[Any, ...]], parameters: dict[str, object]) -> list[GrantLine]:
        return [_line(row) for row in self._connection.execute(query, parameters)]


def _line(row: Row[*tuple[Any, ...]]) -> GrantLine:
    return GrantLine(**row._mapping)
