"""Issuing tokens: the intersection of what was asked and what is allowed (Distribution's token specification).

Asking for more than one may have is no error; the token holds less. Absent and hidden repositories take the same steps.
"""

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from auth.policy import ANONYMOUS, Action, Holder, Place, Right, Visibility, decide
from auth.scopes import InvalidScope, Scope, parse_scopes
from auth.secrets import SecretKind, hash_secret, new_id, new_secret
from auth.tokens import Issuer, TokenTooLarge
from registry.accounts.holders import is_live
from registry.accounts.keys import KeyRing
from registry.accounts.sign_in import Principal
from registry.audit import Audit, Origin
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import CatalogUnavailable
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import InvalidName, RepositoryName

SCOPE_RIGHTS = {"pull": Right.PULL, "push": Right.PUSH, "delete": Right.DELETE}
"""The actions of a repository scope, and the right that each takes."""

REGISTRY_ACTIONS = {"*": Action.CATALOG, "search": Action.SEARCH}
"""The actions of `registry:catalog:…`; everybody may list and search, and is shown what they may pull."""

REFRESH_LIMIT = 50

_VISIBILITIES: Mapping[str | None, Visibility | None] = MappingProxyType(
    {None: None, **{visibility.value: visibility for visibility in Visibility}}
)


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A token; `scopes` is what it grants, `expires_in` seconds from `issued_at` (seconds since 1970)."""

    token: str
    expires_in: int
    issued_at: int
    scopes: tuple[Scope, ...]
    refresh_token: str | None = None


class Tokens:
    """Gives out tokens. Safe to use from any thread."""

    def __init__(
        self,
        catalog: Catalog,
        keys: KeyRing,
        audit: Audit,
        *,
        issuer: str,
        service: str,
        lifetime: timedelta,
        refresh_lifetime: timedelta | None,
    ) -> None:
        """Args: refresh_lifetime: None gives out no refresh tokens."""
        self._catalog = catalog
        self._keys = keys
        self._audit = audit
        self._lifetime = int(lifetime.total_seconds())
        self._issuer = Issuer(issuer=issuer, audience=service, lifetime=self._lifetime)
        self._refresh_lifetime = refresh_lifetime
        self.service = service

    def issue(
        self, principal: Principal | None, wanted: Iterable[str], origin: Origin, *, offline: bool = False
    ) -> TokenAnswer:
        """Give a token for scopes as they were sent; no principal is an anonymous reader.

        Args:   offline: also give a refresh token, where settings and principal allow one.
        Raises: REQUEST_INVALID for scopes that are none, or too many for one token.
        """
        asked = scopes_of(wanted)
        holder = principal.holder if principal else ANONYMOUS
        with self._catalog.read() as tx:
            granted = tuple(scope for scope in (granted_scope(tx, holder, scope) for scope in asked) if scope.actions)
        now = int(time.time())
        token = self._signed(holder, principal.credential if principal else None, granted, now)
        refresh = self._refresh_token(principal, origin) if offline else None
        self._note(origin, holder, principal, granted, refresh is not None)
        return TokenAnswer(token, self._lifetime, now, granted, refresh)

    def _signed(self, holder: Holder, credential: str | None, granted: tuple[Scope, ...], now: int) -> str:
        try:
            return self._issuer.issue(
                self._keys.signing(),
                subject=holder.name,
                kind=holder.kind,
                credential=credential,
                scopes=granted,
                now=now,
                token_id=secrets.token_hex(16),
            )
        except TokenTooLarge as error:
            raise RegistryError(ErrorCode.REQUEST_INVALID, f"{error}; ask for fewer at once") from None

    def _refresh_token(self, principal: Principal | None, origin: Origin) -> str | None:
        """Make a refresh token, only for a password: it would outlive a personal access token that is revoked."""
        if principal is None or not principal.refreshable or self._refresh_lifetime is None:
            return None
        secret = new_secret(SecretKind.REFRESH)
        try:
            with self._catalog.begin() as tx:
                tx.credentials.add(
                    new_id(),
                    principal.account_id,
                    "refresh",
                    secret_hash=hash_secret(secret),
                    label=origin.agent[:64],
                    service=self.service,
                    expires_at=tx.now + self._refresh_lifetime // timedelta(microseconds=1),
                )
                _keep_newest(tx, principal.account_id)
        except CatalogUnavailable:
            return None  # docker then keeps the password, and signing in goes on working
        return secret

    def forget_ended(self) -> int:
        """Forget refresh tokens that have been over for an hour; give how many. Every `docker login` leaves one."""
        with self._catalog.begin(durable=False) as tx:
            return tx.credentials.purge(tx.now - timedelta(hours=1) // timedelta(microseconds=1))

    def _note(
        self, origin: Origin, holder: Holder, principal: Principal | None, granted: tuple[Scope, ...], refresh: bool
    ) -> None:
        actor = Origin(
            holder.name,
            holder.kind.value,
            principal.credential if principal else None,
            origin.address,
            origin.agent,
            origin.request_id,
        )
        what = "login" if principal and not granted else "token"
        reason = " ".join(f"{scope.type}:{scope.name}:{','.join(scope.actions)}" for scope in granted)
        self._audit.note(actor.event(what, reason=f"{reason} with a refresh token" if refresh else reason))


def _keep_newest(tx: Transaction, account_id: int) -> None:
    """Revoke the oldest refresh tokens past REFRESH_LIMIT: every `docker login` leaves one behind."""
    mine = [c for c in tx.credentials.of(account_id) if c.kind == "refresh" and is_live(c, tx.now)]
    for credential in mine[:-REFRESH_LIMIT]:
        tx.credentials.revoke(credential.id)


def scopes_of(wanted: Iterable[str]) -> tuple[Scope, ...]:
    """Read scopes. Raises REQUEST_INVALID."""
    try:
        return parse_scopes(wanted)
    except InvalidScope as error:
        raise RegistryError(ErrorCode.REQUEST_INVALID, str(error)) from None


def granted_scope(tx: Transaction, holder: Holder, scope: Scope) -> Scope:
    """Reduce a scope to the actions that are allowed; none for what is no repository of ours."""
    if scope.type == "registry" and scope.name == "catalog":
        return Scope(scope.type, scope.name, tuple(a for a in scope.actions if a in REGISTRY_ACTIONS))
    if scope.type != "repository":
        return Scope(scope.type, scope.name, ())
    try:
        name = RepositoryName.parse(scope.name)
    except InvalidName:
        return Scope(scope.type, scope.name, ())
    return Scope(scope.type, scope.name, tuple(sorted(allowed_actions(tx, holder, name, scope.actions))))


def allowed_actions(
    tx: Transaction, holder: Holder, name: RepositoryName, wanted: Iterable[str] = ("*",)
) -> frozenset[str]:
    """Tell which of these actions a holder may do on a repository; `*` asks for all of them."""
    place = place_of(tx, name)
    asked = set(wanted)
    asked = set(SCOPE_RIGHTS) if "*" in asked else asked
    return frozenset(
        action for action, right in SCOPE_RIGHTS.items() if action in asked and decide(holder, right, place)
    )


def place_of(tx: Transaction, name: RepositoryName) -> Place:
    """Describe a repository to the policy, whether or not there is one."""
    return Place(name.value, _VISIBILITIES[tx.repositories.place(name.value)])
