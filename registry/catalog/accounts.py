"""Accounts: users, organisations and robots, which share one set of names. Passwords come and go as hashes only."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Row, Select, bindparam, delete, or_, select, update

from registry.catalog import tables
from registry.catalog.errors import Conflict, NotFound
from registry.catalog.upserts import Upsert

_row = tables.account
_organization = tables.account.alias("organization")
_team, _team_member, _member = tables.team, tables.team_member, tables.organization_member
_grant, _credential = tables.access_grant, tables.credential

account_columns = (
    _row.c.id.label("account_id"),
    _row.c.name.label("account_name"),
    _row.c.kind.label("account_kind"),
    _organization.c.name.label("organization"),
    _row.c.administrator,
    _row.c.password,
    _row.c.disabled_at,
    _row.c.created_at.label("account_created_at"),
    _row.c.login_at,
    _row.c.login_network,
)
"""What `account_of` makes an Account of; named so that they can stand beside another noun's columns."""


def with_organization(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Add to a query on accounts whose robot each is."""
    return query.outerjoin(_organization, _organization.c.id == _row.c.organization_id)


_accounts = with_organization(select(*account_columns).select_from(_row))
_by_name = _accounts.where(_row.c.name == bindparam("name"))
_by_id = _accounts.where(_row.c.id == bindparam("id"))
_page = _accounts.where(_row.c.name > bindparam("after")).order_by(_row.c.name).limit(bindparam("limit"))
_page_of_kind = _page.where(_row.c.kind == bindparam("kind"))
_robots = _accounts.where(_row.c.organization_id == bindparam("id")).order_by(_row.c.name)
_administrators = _accounts.where(_row.c.administrator.is_(True), _row.c.disabled_at.is_(None)).order_by(_row.c.name)
_add = Upsert(_row, ("name",))
_change = update(_row).where(_row.c.id == bindparam("account"))


@dataclass(frozen=True, slots=True)
class Account:
    """A user, an organisation or a robot. `organization`: whose robot it is; times in µs since 1970.

    `password` is its hash, None where nobody logs in with a password; `login_at` is the last time somebody did, from
    `login_network`.
    """

    id: int
    name: str
    kind: str
    organization: str | None
    administrator: bool
    password: str | None
    disabled: bool
    created_at: int
    login_at: int | None
    login_network: str | None


class Accounts:
    """The accounts, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def add_user(self, name: str, *, password: str | None, administrator: bool = False) -> Account:
        """Make a user. Raises Conflict if an account of any kind has the name."""
        return self._added({"name": name, "kind": "user", "password": password, "administrator": administrator})

    def add_organization(self, name: str) -> Account:
        """Make an organisation. Raises Conflict if an account of any kind has the name."""
        return self._added({"name": name, "kind": "organization"})

    def add_robot(self, organization_id: int, name: str) -> Account:
        """Make an organisation's robot, under its whole name (`team+ci`). Raises Conflict if the name is taken."""
        return self._added({"name": name, "kind": "robot", "organization_id": organization_id})

    def get(self, name: str) -> Account:
        """Find an account by its name. Raises NotFound."""
        return self._one(_by_name, {"name": name})

    def by_id(self, account_id: int) -> Account:
        """Find an account by its id. Raises NotFound."""
        return self._one(_by_id, {"id": account_id})

    def page(self, kind: str | None, after: str, limit: int) -> list[Account]:
        """List up to `limit` accounts of a kind (None: of any) whose names come after `after`, in ASCII order."""
        parameters: dict[str, object] = {"after": after, "limit": limit}
        query = _page
        if kind is not None:
            query, parameters["kind"] = _page_of_kind, kind
        return [account_of(row) for row in self._connection.execute(query, parameters)]

    def administrators(self) -> list[Account]:
        """List those who administer the whole registry and are not shut out, by name."""
        return [account_of(row) for row in self._connection.execute(_administrators)]

    def robots(self, organization_id: int) -> list[Account]:
        """List an organisation's robots by name."""
        return [account_of(row) for row in self._connection.execute(_robots, {"id": organization_id})]

    def set_password(self, account_id: int, password: str | None) -> None:
        """Keep a new password's hash; None: nobody logs in with a password any more. Raises NotFound."""
        self._change(account_id, password=password)

    def set_disabled(self, account_id: int, disabled: bool) -> None:
        """Shut an account out, or let it in again. Raises NotFound."""
        self._change(account_id, disabled_at=self._now if disabled else None)

    def set_administrator(self, account_id: int, administrator: bool) -> None:
        """Make a user an administrator of the whole registry, or no longer one. Raises NotFound."""
        self._change(account_id, administrator=administrator)

    def note_login(self, account_id: int, network: str) -> None:
        """Remember when and from which network the password was last right. Raises NotFound."""
        self._change(account_id, login_at=self._now, login_network=network)

    def remove(self, account_id: int) -> None:
        """Remove an account with its credentials, grants and memberships, and the grants on its namespace.

        An organisation takes its teams and robots along. Repositories stay. Raises NotFound.
        """
        account = self.by_id(account_id)
        for robot in self.robots(account_id):
            self._remove(robot)
        self._remove(account)

    def _remove(self, account: Account) -> None:
        for statement in _removals(account):
            self._connection.execute(statement)

    def _added(self, row: dict[str, object]) -> Account:
        if not self._connection.execute(_add.on(self._connection), {**row, "created_at": self._now}).rowcount:
            raise Conflict(str(row["name"]))
        return self.get(str(row["name"]))

    def _change(self, account_id: int, **values: object) -> None:
        if not self._connection.execute(_change.values(**values), {"account": account_id}).rowcount:
            raise NotFound(str(account_id))

    def _one(self, query: Select[*tuple[Any, ...]], parameters: dict[str, object]) -> Account:
        row = self._connection.execute(query, parameters).one_or_none()
        if row is None:
            raise NotFound(", ".join(str(value) for value in parameters.values()))
        return account_of(row)


def _removals(account: Account) -> tuple[Delete, ...]:
    """What goes with an account, in the order that the foreign keys allow."""
    teams = select(_team.c.id).where(_team.c.organization_id == account.id)
    of_account = or_(_grant.c.account_id == account.id, _grant.c.team_id.in_(teams))
    return (
        delete(_grant).where(of_account),
        delete(_grant).where(_grant.c.namespace == account.name),
        delete(_team_member).where(_team_member.c.account_id == account.id),
        delete(_team_member).where(_team_member.c.team_id.in_(teams)),
        delete(_team).where(_team.c.organization_id == account.id),
        delete(_member).where(_member.c.account_id == account.id),
        delete(_member).where(_member.c.organization_id == account.id),
        delete(_credential).where(_credential.c.account_id == account.id),
        delete(_row).where(_row.c.id == account.id),
    )


def account_of(row: Row[*tuple[Any, ...]]) -> Account:
    """Make an Account of a row that holds `account_columns`."""
    return Account(
        id=row.account_id,
        name=row.account_name,
        kind=row.account_kind,
        organization=row.organization,
        administrator=row.administrator,
        password=row.password,
        disabled=row.disabled_at is not None,
        created_at=row.account_created_at,
        login_at=row.login_at,
        login_network=row.login_network,
    )
