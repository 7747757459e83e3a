"""Robots: accounts of machines, each an organisation's, `acme+ci`. They have secrets and no password.

A robot may do what was granted to it and nothing else; not even internal repositories are open to it.
"""

from registry.accounts.errors import AccountsError
from registry.accounts.lookup import every_account, find_organization, find_robot
from registry.accounts.names import InvalidAccountName, RobotName
from registry.audit import Audit, Origin
from registry.catalog.accounts import Account
from registry.catalog.catalog import Catalog
from registry.catalog.errors import Conflict


class Robots:
    """Administers robots."""

    def __init__(self, catalog: Catalog, audit: Audit) -> None:
        self._catalog = catalog
        self._audit = audit

    def add(self, name: str, origin: Origin) -> Account:
        """Make a robot, which has neither secrets nor rights yet. Raises AccountsError."""
        try:
            parsed = RobotName.parse(name)
        except InvalidAccountName as error:
            raise AccountsError(str(error)) from None
        with self._audit.begin(origin) as change:
            organization = find_organization(change.tx, parsed.organization)
            try:
                account = change.tx.accounts.add_robot(organization.id, str(parsed))
            except Conflict:
                raise AccountsError(f"there is a robot {parsed} already") from None
            change.record("robot.add", reason=str(parsed))
        return account

    def list(self, organization: str | None = None) -> list[Account]:
        """List the robots of one organisation, or of all. Raises AccountsError."""
        with self._catalog.read() as tx:
            if organization is None:
                return list(every_account(tx, "robot"))
            return tx.accounts.robots(find_organization(tx, organization).id)

    def disable(self, name: str, origin: Origin) -> None:
        """Shut a robot out; its secrets are good again after `enable`. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            change.tx.accounts.set_disabled(find_robot(change.tx, name).id, disabled=True)
            change.record("robot.disable", reason=name)

    def enable(self, name: str, origin: Origin) -> None:
        """Let a robot in again. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            change.tx.accounts.set_disabled(find_robot(change.tx, name).id, disabled=False)
            change.record("robot.enable", reason=name)

    def remove(self, name: str, origin: Origin) -> None:
        """Remove a robot with its secrets and grants. Raises AccountsError."""
        with self._audit.begin(origin) as change:
            change.tx.accounts.remove(find_robot(change.tx, name).id)
            change.record("robot.remove", reason=name)
