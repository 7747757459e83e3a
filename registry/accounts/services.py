"""The use cases of accounts, put together: what the HTTP edge and the command line both start from."""

from dataclasses import dataclass
from datetime import timedelta

from auth.keys import MasterKey
from auth.passwords import PasswordHasher
from registry.accounts.keys import KeyRing
from registry.accounts.sign_in import SignIn
from registry.accounts.throttle import Throttle, ThrottleLimits
from registry.accounts.tokens import Tokens
from registry.accounts.used import LastUsed
from registry.audit import Audit
from registry.catalog.catalog import Catalog


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """What tokens say and how long they last; `refresh_lifetime` None: no refresh tokens."""

    issuer: str
    service: str
    lifetime: timedelta
    refresh_lifetime: timedelta | None


class AccountServices:
    """Signing in, tokens and keys, on one catalog."""

    def __init__(self, catalog: Catalog, audit: Audit, master: MasterKey, settings: TokenSettings) -> None:
        self.keys = KeyRing(catalog, master, audit)
        self.used = LastUsed(catalog)
        self.throttle = Throttle(catalog, ThrottleLimits())
        self.sign_in = SignIn(catalog, PasswordHasher(), self.throttle, audit, self.used)
        self.tokens = Tokens(
            catalog,
            self.keys,
            audit,
            issuer=settings.issuer,
            service=settings.service,
            lifetime=settings.lifetime,
            refresh_lifetime=settings.refresh_lifetime,
        )
