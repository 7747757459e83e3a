"""Users: who they are, their passwords, whether they may come in, and who administers the registry.

A password is checked and hashed here and is never in a message or in the trail. Whatever would leave the registry
without an enabled administrator, or repositories without the account that owns them, is refused.
"""

from dataclasses import dataclass

from auth.passwords import PasswordHasher, WeakPassword, check_password
from registry.accounts.errors import AccountsError
from registry.accounts.lookup import (
    PAGE,
    counted,
    every_account,
    find_user,
    new_name,
    refuse_stranding,
    taken,
    teams_of,
)
from registry.audit import Audit, Change, Origin
from registry.catalog.accounts import Account
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import Conflict
from registry.catalog.teams import Membership


@dataclass(frozen=True, slots=True)
class Person:
    """A user with what they are part of."""

    account: Account
    organizations: tuple[Membership, ...]
    teams: tuple[str, ...]


class People:
    """Administers users. Every method that changes something leaves a line in the trail."""

    def __init__(self, catalog: Catalog, audit: Audit, hasher: PasswordHasher) -> None:
        self._catalog = catalog
        self._audit = audit
        self._hasher = hasher

    def add(
        self, name: str, password: str, origin: Origin, *, administrator: bool = False, adopt: bool = False
    ) -> Account:
        """Make a user, who owns the namespace of that name.

        Args:   adopt: also where repositories are there already, which become the user's own.
        Raises: AccountsError.
        """
        checked = new_name(name).value
        stored = self._hashed(password)
        with self._audit.begin(origin) as change:
            try:
                account = change.tx.accounts.add_user(checked, password=stored, administrator=administrator)
            except Conflict:
                raise taken(change.tx, checked) from None
            if not adopt:
                refuse_adoption(change.tx, checked)
            change.record("user.add", reason=f"{checked}, an administrator" if administrator else checked)
        return account

    def list(self) -> list[Account]:
        """List the users by name."""
        with self._catalog.read() as tx:
            return list(every_account(tx, "user"))

    def show(self, name: str) -> Person:
        """Show a user. Raises AccountsError."""
        with self._catalog.read() as tx:
            account = find_user(tx, name)
            return Person(account, tuple(tx.teams.memberships(account.id)), tuple(teams_of(tx, account)))

    def set_password(self, name: str, password: str, origin: Origin) -> int:
        """Change a password, which ends every docker login with the old one; tells how many. Raises AccountsError."""
        with self._catalog.read() as tx:
            find_user(tx, name)
        stored = self._hashed(password)
        with self._audit.begin(origin) as change:
            account = find_user(change.tx, name)
            change.tx.accounts.set_password(account.id, stored)
            ended = change.tx.credentials.revoke_all(account.id, "refresh")
            change.record("user.password", reason=account.name)
        return ended

    def disable(self, name: str, origin: Origin) -> None:
        """Shut a user out: no password, token or login of theirs is good until they are enabled. Raises AccountsError.

        Refresh tokens are revoked for good; personal access tokens are good again after `enable`.
        """
        with self._audit.begin(origin) as change:
            account = find_user(change.tx, name)
            change.tx.accounts.set_disabled(account.id, disabled=True)
            change.tx.credentials.revoke_all(account.id, "refresh")
            _keep_an_administrator(change, account, "disabled")
            change.record("user.disable", reason=account.name)

    def enable(self, name: str, origin: Origin) -> None:
        """Let a user in again. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            account = find_user(change.tx, name)
            change.tx.accounts.set_disabled(account.id, disabled=False)
            change.record("user.enable", reason=account.name)

    def promote(self, name: str, origin: Origin) -> None:
        """Make a user an administrator, who may do everything. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            account = find_user(change.tx, name)
            change.tx.accounts.set_administrator(account.id, administrator=True)
            change.record("user.promote", reason=account.name)

    def demote(self, name: str, origin: Origin) -> None:
        """Make an administrator a user like others. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            account = find_user(change.tx, name)
            change.tx.accounts.set_administrator(account.id, administrator=False)
            _keep_an_administrator(change, account, "demoted")
            change.record("user.demote", reason=account.name)

    def remove(self, name: str, origin: Origin) -> None:
        """Remove a user with their tokens, grants and memberships. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            account = find_user(change.tx, name)
            refuse_stranding(change.tx, name)
            _refuse_last_owner(change.tx, account)
            change.tx.accounts.remove(account.id)
            _keep_an_administrator(change, account, "removed")
            change.record("user.remove", reason=account.name)

    def _hashed(self, password: str) -> str:
        try:
            return self._hasher.hash(check_password(password))
        except WeakPassword as error:
            raise AccountsError(f"this password cannot be used: {error}") from None


def refuse_adoption(tx: Transaction, name: str) -> None:
    """Refuse to make somebody the owner of what is there already. Raises AccountsError."""
    if held := len(tx.repositories.listed("", PAGE, name)):
        raise AccountsError(f"{counted(held)} below {name}/ would become {name}'s own; if that is meant, say --adopt")


def _refuse_last_owner(tx: Transaction, account: Account) -> None:
    for membership in tx.teams.memberships(account.id):
        members = tx.teams.members(tx.accounts.get(membership.organization).id)
        if [member.name for member in members if member.role == "owner"] == [account.name]:
            raise AccountsError(
                f"{account.name} is the only owner of {membership.organization}; give it another one first:"
                f" moorage org member-add {membership.organization} USER --role owner"
            )


def _keep_an_administrator(change: Change, account: Account, what: str) -> None:
    """Undo a change that leaves nobody to administer the registry. Raises AccountsError."""
    if account.administrator and not account.disabled and not change.tx.accounts.administrators():
        raise AccountsError(
            f"{account.name} is the only administrator who can sign in, and cannot be {what}; make another one first:"
            " moorage user promote USER"
        )
