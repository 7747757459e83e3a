"""Organisations from within: their members, their teams, and who is in those."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable, Row, bindparam, delete, select

from registry.catalog import tables
from registry.catalog.errors import Conflict, NotFound
from registry.catalog.upserts import Upsert

_team, _team_member, _member, _account = (
    tables.team,
    tables.team_member,
    tables.organization_member,
    tables.account,
)
_set_member = Upsert(_member, ("organization_id", "account_id"), changed=("role",))
_members = (
    select(_account.c.name, _member.c.role)
    .join(_account, _account.c.id == _member.c.account_id)
    .where(_member.c.organization_id == bindparam("organization"))
    .order_by(_account.c.name)
)
_memberships = (
    select(_account.c.name, _member.c.role)
    .join(_account, _account.c.id == _member.c.organization_id)
    .where(_member.c.account_id == bindparam("account"))
    .order_by(_account.c.name)
)
_owned = _memberships.where(_member.c.role == "owner")
_teams = select(_team.c.id, _team.c.organization_id, _account.c.name.label("organization"), _team.c.name).join(
    _account, _account.c.id == _team.c.organization_id
)
_by_name = _teams.where(_team.c.organization_id == bindparam("organization"), _team.c.name == bindparam("name"))
_page = (
    _teams.where(_team.c.organization_id == bindparam("organization"), _team.c.name > bindparam("after"))
    .order_by(_team.c.name)
    .limit(bindparam("limit"))
)
_add = Upsert(_team, ("organization_id", "name"))
_join = Upsert(_team_member)
_members_of = (
    select(_account.c.name)
    .join(_team_member, _team_member.c.account_id == _account.c.id)
    .where(_team_member.c.team_id == bindparam("team"))
    .order_by(_account.c.name)
)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in an organisation; `role` is `owner` or `member`."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Membership:
    """An organisation that somebody is in; `role` is `owner` or `member`."""

    organization: str
    role: str


@dataclass(frozen=True, slots=True)
class Team:
    """A team of an organisation."""

    id: int
    organization_id: int
    organization: str
    name: str


class Teams:
    """Members and teams, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def set_member(self, organization_id: int, account_id: int, role: str) -> None:
        """Take somebody into an organisation, or give them another role there."""
        row = {"organization_id": organization_id, "account_id": account_id, "role": role, "since": self._now}
        self._connection.execute(_set_member.on(self._connection), row)

    def remove_member(self, organization_id: int, account_id: int) -> None:
        """Take somebody out of an organisation and of all its teams. Raises NotFound if they were not in it."""
        teams = select(_team.c.id).where(_team.c.organization_id == organization_id)
        self._connection.execute(
            delete(_team_member).where(_team_member.c.account_id == account_id, _team_member.c.team_id.in_(teams))
        )
        where = (_member.c.organization_id == organization_id, _member.c.account_id == account_id)
        self._gone(delete(_member).where(*where), account_id)

    def members(self, organization_id: int) -> list[Member]:
        """List who is in an organisation, by name."""
        rows = self._connection.execute(_members, {"organization": organization_id})
        return [Member(row.name, row.role) for row in rows]

    def memberships(self, account_id: int) -> list[Membership]:
        """List the organisations that somebody is in, by name."""
        rows = self._connection.execute(_memberships, {"account": account_id})
        return [Membership(row.name, row.role) for row in rows]

    def owned_by(self, account_id: int) -> list[str]:
        """List the names of the organisations that somebody owns."""
        return list(self._connection.execute(_owned, {"account": account_id}).scalars())

    def add(self, organization_id: int, name: str) -> Team:
        """Make a team. Raises Conflict if the organisation has one of that name."""
        row = {"organization_id": organization_id, "name": name, "created_at": self._now}
        if not self._connection.execute(_add.on(self._connection), row).rowcount:
            raise Conflict(name)
        return self.get(organization_id, name)

    def get(self, organization_id: int, name: str) -> Team:
        """Find a team by its name. Raises NotFound."""
        row = self._connection.execute(_by_name, {"organization": organization_id, "name": name}).one_or_none()
        if row is None:
            raise NotFound(name)
        return _team_of(row)

    def remove(self, team_id: int) -> None:
        """Remove a team with its grants; its members stay in the organisation. Raises NotFound."""
        for table in (_team_member, tables.access_grant):
            self._connection.execute(delete(table).where(table.c.team_id == team_id))
        self._gone(delete(_team).where(_team.c.id == team_id), team_id)

    def page(self, organization_id: int, after: str = "", limit: int = 1000) -> list[Team]:
        """List up to `limit` teams of an organisation whose names come after `after`, in ASCII order."""
        parameters = {"organization": organization_id, "after": after, "limit": limit}
        return [_team_of(row) for row in self._connection.execute(_page, parameters)]

    def add_member(self, team_id: int, account_id: int) -> None:
        """Take somebody into a team; who is in it already stays."""
        row = {"team_id": team_id, "account_id": account_id}
        self._connection.execute(_join.on(self._connection), row)

    def remove_member_of(self, team_id: int, account_id: int) -> None:
        """Take somebody out of a team. Raises NotFound if they were not in it."""
        where = (_team_member.c.team_id == team_id, _team_member.c.account_id == account_id)
        self._gone(delete(_team_member).where(*where), account_id)

    def members_of(self, team_id: int) -> list[str]:
        """List the names of a team's members."""
        return list(self._connection.execute(_members_of, {"team": team_id}).scalars())

    def _gone(self, statement: Executable, what: int) -> None:
        if not self._connection.execute(statement).rowcount:
            raise NotFound(str(what))


def _team_of(row: Row[*tuple[Any, ...]]) -> Team:
    return Team(row.id, row.organization_id, row.organization, row.name)
