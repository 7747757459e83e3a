"""Signing in: a password, a personal access token, a robot's secret, or a refresh token becomes a principal.

Wrong name, wrong password, disabled account, expired and revoked secret are one refusal with one sentence, and cost the
same: a password of an unknown name is checked against a dummy hash. Secrets of 256 bits are looked up by their hash;
passwords go through argon2id, which the caller runs where few can run at once.
"""

import hashlib
import hmac
import os
import time
from dataclasses import dataclass

from auth.passwords import PasswordHasher
from auth.policy import Holder
from auth.secrets import SecretKind, hash_secret, kind_of
from registry.accounts.holders import is_live, load_holder
from registry.accounts.throttle import Throttle, network_of
from registry.accounts.used import LastUsed
from registry.audit import Audit, Origin
from registry.catalog.accounts import Account
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.credentials import Credential
from registry.catalog.errors import CatalogUnavailable, NotFound
from registry.oci.errors import ErrorCode, RegistryError

REFUSAL = (
    "wrong user name or password, or the token has expired or was revoked, or the account is disabled; check the name,"
    " then try `docker login` with your password or a personal access token"
)

REMEMBERED = 300.0
REMEMBERED_LIMIT = 1000
LONGEST_NAME, LONGEST_SECRET = 256, 1024


@dataclass(frozen=True, slots=True)
class Principal:
    """Who signed in: what the policy knows of them, and with which secret; None: with a password."""

    holder: Holder
    account_id: int
    credential: str | None = None
    refreshable: bool = False


class SignIn:
    """Checks names and secrets. Safe to use from any thread."""

    def __init__(
        self, catalog: Catalog, hasher: PasswordHasher, throttle: Throttle, audit: Audit, used: LastUsed
    ) -> None:
        self._catalog = catalog
        self._hasher = hasher
        self._throttle = throttle
        self._audit = audit
        self._used = used
        self._memory = _Memory()

    def by_secret(self, name: str, secret: str, origin: Origin) -> Principal:
        """Sign in with a personal access token or a robot's secret. Raises UNAUTHORIZED, or TOOMANYREQUESTS."""
        try:
            with self._catalog.read() as tx:
                if _is_login(tx, secret):
                    raise refusal()
                credential, account = _found(tx, secret, (SecretKind.PAT, SecretKind.ROBOT))
                if account.name != name or account.disabled or not is_live(credential, tx.now):
                    raise NotFound(name)
                principal = Principal(load_holder(tx, account, credential), account.id, credential.id)
        except NotFound:
            raise self._refused(name, origin, counted=secret, what="secret") from None
        self._used.note(credential.id, origin.address)
        return principal

    def by_refresh(self, secret: str, service: str, origin: Origin) -> Principal:
        """Sign in with a refresh token, which is good for one service only. Raises UNAUTHORIZED, or TOOMANYREQUESTS."""
        try:
            with self._catalog.read() as tx:
                credential, account = _found(tx, secret, (SecretKind.REFRESH,))
                if account.disabled or credential.service != service or not is_live(credential, tx.now):
                    raise NotFound(account.name)
                principal = Principal(load_holder(tx, account), account.id, credential.id)
        except NotFound:
            raise self._refused("", origin, counted=secret, what="refresh token") from None
        self._used.note(credential.id, origin.address)
        return principal

    def remembered(self, name: str, password: str) -> Principal | None:
        """Sign in with a password that was checked a short while ago and has not been changed since; None: check it."""
        with self._catalog.read() as tx:
            account = _user(tx, name)
            if account is None or not self._memory.holds(name, password, account.password):
                return None
            return Principal(load_holder(tx, account), account.id, refreshable=True)

    def by_password(self, name: str, password: str, origin: Origin) -> Principal:
        """Sign in with a password; takes a tenth of a second and 64 MiB. Raises UNAUTHORIZED, or TOOMANYREQUESTS."""
        with self._catalog.read() as tx:
            found = _account(tx, name)
        account = found if found and _may_have_password(found) else None
        known = account.login_network if account else None
        self._throttle.check(name, origin.address, known_network=known)
        if not self._is_right(account, password) or account is None:
            typed = found.name if found else ""  # what is nobody's name may be a password
            raise self._refused(typed, origin, counted=name, what="password", known_network=known)
        self._throttle.succeeded(name, origin.address)
        stored = self._signed_in(account, password, origin)
        with self._catalog.read() as tx:
            now = _user(tx, name)
        if now is None or now.id != account.id:
            raise refusal()  # shut out while the password was checked
        if now.password not in (account.password, stored) and not self._is_right(now, password):
            raise refusal()  # and not made anew by another worker, but changed
        self._memory.keep(name, password, now.password or "")
        with self._catalog.read() as tx:
            return Principal(load_holder(tx, now), now.id, refreshable=True)

    def _is_right(self, account: Account | None, password: str) -> bool:
        """Check a password; what is not argon2id, which is quicker or slower, takes the time of argon2id as well."""
        stored = account.password if account else None
        if stored is not None and self._hasher.verify(stored, password):
            return True
        if stored is None or self._hasher.outdated(stored):
            self._hasher.waste(password)
        return False

    def _signed_in(self, account: Account, password: str, origin: Origin) -> str:
        """Note where an account signed in, hash its password anew where the cost has risen; give what is stored."""
        stored = account.password or ""
        network = network_of(origin.address)
        fresh = self._hasher.hash(password) if self._hasher.outdated(stored) else None
        if fresh is None and account.login_network == network:
            return stored
        try:
            with self._catalog.begin(durable=False) as tx:
                tx.accounts.note_login(account.id, network)
                # Only if nobody has changed the password meanwhile.
                if fresh is not None and tx.accounts.get(account.name).password == stored:
                    tx.accounts.set_password(account.id, fresh)
                    return fresh
        except (CatalogUnavailable, NotFound):
            return stored
        return stored

    def _refused(
        self, name: str, origin: Origin, *, counted: str, what: str, known_network: str | None = None
    ) -> RegistryError:
        """Count a failure, note it, and give the one answer; past the limit the answer says how long to wait.

        Args: counted: what the failure is counted against: a name whose password is guessed, or else the secret itself,
              for a machine that goes on with an expired one must not slow its owner's password down;
              known_network: as for `Throttle.check`: what passes there is counted here, or guessing has no end.
        """
        try:
            self._throttle.check(counted, origin.address, known_network=known_network)
        except RegistryError as error:
            return error  # and no line in the trail, which a flood would fill the disk with
        typed = name if _is_account_like(name) else ""
        attempt = Origin(typed, "anonymous", None, origin.address, origin.agent, origin.request_id)
        self._audit.note(attempt.event("login", result="failed", reason=f"wrong {what}"))
        self._throttle.failed(counted, origin.address)
        return refusal()


def refusal() -> RegistryError:
    """Give the one answer to every way in which a sign-in can fail."""
    return RegistryError(ErrorCode.UNAUTHORIZED, REFUSAL)


def is_secret(text: str) -> bool:
    """Tell whether this is looked up rather than hashed slowly: it looks like a secret of ours."""
    return text.startswith(tuple(kind.value for kind in SecretKind))


def _is_login(tx: Transaction, secret: str) -> bool:
    """Tell whether this is a refresh token that is good, which is no password but no guess either.

    The BuildKit of docker 20.10 tries every identity token as a password first; were that counted as a failure, ten
    builds would be too many.
    """
    if kind_of(secret) is not SecretKind.REFRESH:
        return False
    try:
        credential, account = _found(tx, secret, (SecretKind.REFRESH,))
    except NotFound:
        return False
    return not account.disabled and is_live(credential, tx.now)


def _found(tx: Transaction, secret: str, kinds: tuple[SecretKind, ...]) -> tuple[Credential, Account]:
    if kind_of(secret) not in kinds:
        raise NotFound("secret")
    return tx.credentials.by_hash(hash_secret(secret))


def _account(tx: Transaction, name: str) -> Account | None:
    try:
        return tx.accounts.get(name)
    except NotFound:
        return None


def _user(tx: Transaction, name: str) -> Account | None:
    account = _account(tx, name)
    return account if account and _may_have_password(account) else None


def _may_have_password(account: Account) -> bool:
    return account.kind == "user" and not account.disabled


def _is_account_like(name: str) -> bool:
    """Tell whether a name may be written to the trail: what does not look like one may be a password."""
    return len(name) <= 129 and all(c.isascii() and (c.islower() or c.isdigit() or c in "._-+") for c in name)


class _Memory:
    """Passwords that were right a short while ago, as keyed hashes that are worth nothing outside this process.

    docker sends the password at every pull; without this each would cost a tenth of a second of a core.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._known: dict[bytes, tuple[str, float]] = {}

    def keep(self, name: str, password: str, stored: str) -> None:
        """Remember a password together with the hash that it was checked against."""
        if len(self._known) >= REMEMBERED_LIMIT:
            self._known.clear()
        self._known[self._digest(name, password)] = (stored, time.monotonic() + REMEMBERED)

    def holds(self, name: str, password: str, stored: str | None) -> bool:
        """Tell whether this password was right against this very hash."""
        found = self._known.get(self._digest(name, password))
        return found is not None and found[0] == stored and time.monotonic() < found[1]

    def _digest(self, name: str, password: str) -> bytes:
        message = len(name).to_bytes(4, "big") + (name + password).encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, hashlib.sha256)
