"""Signing in over HTTP: which lane checks what, and how many may wait.

Secrets and remembered passwords are looked up in the SQL lane; a password goes through argon2id in a lane of its own,
one at a time, so that a flood of wrong passwords costs 64 MiB and one core at most, and pulls go on beside it.
"""

from registry.accounts.sign_in import LONGEST_NAME, LONGEST_SECRET, Principal, SignIn, is_secret, refusal
from registry.audit import Origin
from registry.edge.bridge import Bridge
from registry.oci.errors import ErrorCode, RegistryError

WAITING_LIMIT = 64
"""Eight seconds of hashing; docker gives up after fifteen."""


class Doorman:
    """Lets people and machines in. Belongs to the event loop."""

    def __init__(self, sign_in: SignIn, bridge: Bridge) -> None:
        self._sign_in = sign_in
        self._bridge = bridge
        self._waiting = 0

    async def sign_in(self, name: str, secret: str, origin: Origin) -> Principal:
        """Check a name with a password or secret. Raises UNAUTHORIZED, or TOOMANYREQUESTS."""
        if len(name) > LONGEST_NAME or len(secret) > LONGEST_SECRET or "\0" in name + secret:
            raise refusal()
        if is_secret(secret):
            return await self._bridge.sql.call(self._sign_in.by_secret, name, secret, origin)
        known = await self._bridge.sql.call(self._sign_in.remembered, name, secret)
        if known is not None:
            return known
        if self._waiting >= WAITING_LIMIT:
            raise RegistryError(
                ErrorCode.TOOMANYREQUESTS,
                "many people are signing in right now; try again shortly",
                headers={"retry-after": "5"},
            )
        self._waiting += 1
        try:
            return await self._bridge.passwords.call(self._sign_in.by_password, name, secret, origin)
        finally:
            self._waiting -= 1

    async def refresh(self, secret: str, service: str, origin: Origin) -> Principal:
        """Check a refresh token. Raises UNAUTHORIZED, or TOOMANYREQUESTS."""
        if len(secret) > LONGEST_SECRET or len(service) > LONGEST_SECRET:
            raise refusal()
        return await self._bridge.sql.call(self._sign_in.by_refresh, secret, service, origin)
