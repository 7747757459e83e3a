"""Teams: members of an organisation who get rights together. A team is written ORGANISATION/TEAM."""

from dataclasses import dataclass

from registry.accounts.errors import AccountsError
from registry.accounts.lookup import (
    every_account,
    every_team,
    find_organization,
    find_team,
    find_user,
    new_name,
    split_team,
)
from registry.audit import Audit, Origin
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team by its whole name, with who is in it."""

    name: str
    members: tuple[str, ...]


class Teams:
    """Administers teams."""

    def __init__(self, catalog: Catalog, audit: Audit) -> None:
        self._catalog = catalog
        self._audit = audit

    def add(self, name: str, origin: Origin) -> TeamView:
        """Make a team without members. Raises AccountsError."""
        organization, team = split_team(name)
        with self._audit.begin(origin) as change:
            owner = find_organization(change.tx, organization)
            try:
                change.tx.teams.add(owner.id, new_name(team).value)
            except Conflict:
                raise AccountsError(f"there is a team {name} already") from None
            change.record("team.add", reason=name)
        return TeamView(name, ())

    def list(self, organization: str | None = None) -> list[TeamView]:
        """List the teams of one organisation, or of all. Raises AccountsError."""
        with self._catalog.read() as tx:
            accounts = [find_organization(tx, organization)] if organization else every_account(tx, "organization")
            return [view for account in accounts for view in _views(tx, account.id)]

    def remove(self, name: str, origin: Origin) -> None:
        """Remove a team with its grants; who was in it stays in the organisation. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            change.tx.teams.remove(find_team(change.tx, name).id)
            change.record("team.remove", reason=name)

    def add_member(self, name: str, user: str, origin: Origin) -> None:
        """Take a member of the organisation into a team. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            team, account = find_team(change.tx, name), find_user(change.tx, user)
            if account.name not in {member.name for member in change.tx.teams.members(team.organization_id)}:
                raise AccountsError(
                    f"{user} is not in {team.organization}, so not in its teams; first:"
                    f" moorage org member-add {team.organization} {user}"
                )
            change.tx.teams.add_member(team.id, account.id)
            change.record("team.member", reason=f"{user} is in {name}")

    def remove_member(self, name: str, user: str, origin: Origin) -> None:
        """Take somebody out of a team. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            team, account = find_team(change.tx, name), find_user(change.tx, user)
            try:
                change.tx.teams.remove_member_of(team.id, account.id)
            except NotFound:
                raise AccountsError(
                    f"{user} is not in the team {name}; `moorage team list {team.organization}` shows who is"
                ) from None
            change.record("team.member-remove", reason=f"{user} of {name}")


def _views(tx: Transaction, organization_id: int) -> list[TeamView]:
    return [
        TeamView(f"{team.organization}/{team.name}", tuple(tx.teams.members_of(team.id)))
        for team in every_team(tx, organization_id)
    ]
