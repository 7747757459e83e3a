"""Organisations and who is in them. Owners have every right on the namespace; members get theirs through teams.

An organisation that owns images is not removed, for nobody but administrators could reach them then.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from registry.accounts.errors import AccountsError, shown
from registry.accounts.lookup import (
    every_account,
    every_team,
    find_organization,
    find_user,
    new_name,
    refuse_stranding,
    taken,
)
from registry.audit import Audit, Origin
from registry.catalog.accounts import Account
from registry.catalog.catalog import Catalog
from registry.catalog.errors import Conflict, NotFound
from registry.catalog.teams import Member

ROLES = ("owner", "member")


@dataclass(frozen=True, slots=True)
class Organization:
    """An organisation with what is in it."""

    account: Account
    members: tuple[Member, ...]
    teams: tuple[str, ...]
    robots: tuple[str, ...]


class Organizations:
    """Administers organisations and their members."""

    def __init__(self, catalog: Catalog, audit: Audit) -> None:
        self._catalog = catalog
        self._audit = audit

    def add(self, name: str, origin: Origin, *, owners: Iterable[str] = ()) -> Account:
        """Make an organisation, with its first owners. Raises AccountsError."""
        checked = new_name(name).value
        with self._audit.begin(origin) as change:
            try:
                account = change.tx.accounts.add_organization(checked)
            except Conflict:
                raise taken(change.tx, checked) from None
            change.record("org.add", reason=checked)
            for owner in owners:
                change.tx.teams.set_member(account.id, find_user(change.tx, owner).id, "owner")
                change.record("org.member", reason=f"{owner} is owner of {checked}")
        return account

    def list(self) -> list[Account]:
        """List the organisations by name."""
        with self._catalog.read() as tx:
            return list(every_account(tx, "organization"))

    def show(self, name: str) -> Organization:
        """Show an organisation. Raises AccountsError."""
        with self._catalog.read() as tx:
            account = find_organization(tx, name)
            return Organization(
                account,
                tuple(tx.teams.members(account.id)),
                tuple(f"{name}/{team.name}" for team in every_team(tx, account.id)),
                tuple(robot.name for robot in tx.accounts.robots(account.id)),
            )

    def remove(self, name: str, origin: Origin) -> None:
        """Remove an organisation with its teams, its robots and all grants on it. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            account = find_organization(change.tx, name)
            refuse_stranding(change.tx, name)
            change.tx.accounts.remove(account.id)
            change.record("org.remove", reason=name)

    def set_member(self, name: str, user: str, role: str, origin: Origin) -> None:
        """Take a user into an organisation, or give them another role there. Raises AccountsError."""
        if role not in ROLES:
            raise AccountsError(f"a member's role is owner or member; got {shown(role)}")
        with self._audit.begin(origin) as change:
            organization, account = find_organization(change.tx, name), find_user(change.tx, user)
            change.tx.teams.set_member(organization.id, account.id, role)
            change.record("org.member", reason=f"{user} is {role} of {name}")

    def remove_member(self, name: str, user: str, origin: Origin) -> None:
        """Take a user out of an organisation and of all its teams. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            organization, account = find_organization(change.tx, name), find_user(change.tx, user)
            try:
                change.tx.teams.remove_member(organization.id, account.id)
            except NotFound:
                raise AccountsError(f"{user} is not in {name}; `moorage org show {name}` shows who is") from None
            change.record("org.member-remove", reason=f"{user} of {name}")
