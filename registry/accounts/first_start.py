"""The first start: an administrator to sign in as."""

from auth.passwords import PasswordHasher, WeakPassword, check_password
from auth.secrets import new_password
from registry.audit import Audit, Origin
from registry.catalog.errors import NotFound

ADMIN = "admin"


class BadAdminPassword(Exception):
    """The password that the settings give cannot be used; the message says why."""


def ensure_administrator(audit: Audit, hasher: PasswordHasher, given: str | None, origin: Origin) -> str | None:
    """Make the user `admin` where there is no administrator yet.

    Args:    given: the password that the settings hold; it counts at the first start only.
    Returns: a random password that nobody else will ever be told, or None where there is nothing to tell.
    Raises:  BadAdminPassword.
    """
    with audit.begin(origin) as change:
        change.tx.alone("first administrator")
        if change.tx.accounts.administrators():
            return None
        try:
            password = check_password(given) if given is not None else new_password()
        except WeakPassword as error:
            raise BadAdminPassword(f"admin.password: {error}") from None
        stored = hasher.hash(password)
        try:
            account = change.tx.accounts.get(ADMIN)
        except NotFound:
            change.tx.accounts.add_user(ADMIN, password=stored, administrator=True)
        else:
            change.tx.accounts.set_password(account.id, stored)
            change.tx.accounts.set_administrator(account.id, True)
        change.record("user.add", reason=f"{ADMIN}, an administrator, at the first start")
    return password if given is None else None
