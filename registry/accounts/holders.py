"""From rows of the catalog to a `Holder`, all that the policy needs to know of who asks.

The same few queries whoever it is and whatever they may, so that their time tells nothing.
"""

from auth.policy import ALL, ANONYMOUS, Holder, Kind, Limits, Right
from registry.catalog.accounts import Account
from registry.catalog.catalog import Transaction
from registry.catalog.credentials import Credential
from registry.catalog.errors import NotFound


def load_holder(tx: Transaction, account: Account, credential: Credential | None = None) -> Holder:
    """Gather an account's rights, within what a credential leaves of them."""
    granted = tx.grants.of(account.id)
    namespaces = {name: Right(rights) for name, rights in granted.namespaces.items()}
    if account.kind == "user":
        for organization in tx.teams.owned_by(account.id):
            namespaces[organization] = ALL
        namespaces[account.name] = ALL
    return Holder(
        name=account.name,
        kind=Kind(account.kind),
        administrator=account.administrator,
        namespaces=namespaces,
        repositories={name: Right(rights) for name, rights in granted.repositories.items()},
        limits=_limits(credential),
    )


def load_named(tx: Transaction, name: str, credential_id: str | None) -> Holder:
    """Gather the rights of who signed in earlier, as they are now; an account or secret that is gone has none left."""
    if not name:
        return ANONYMOUS
    try:
        if credential_id is None:
            account, credential = tx.accounts.get(name), None
        else:
            credential, account = tx.credentials.get(credential_id)
    except NotFound:
        return ANONYMOUS
    if account.name != name or account.disabled or (credential and not is_live(credential, tx.now)):
        return ANONYMOUS
    return load_holder(tx, account, credential)


def is_live(credential: Credential, now: int) -> bool:
    """Tell whether a secret is neither revoked nor expired at `now` (µs since 1970)."""
    return credential.revoked_at is None and (credential.expires_at is None or credential.expires_at > now)


def _limits(credential: Credential | None) -> Limits:
    if credential is None:
        return Limits()
    rights = ALL if credential.rights is None else Right(credential.rights)
    return Limits(rights, credential.repositories)
