"""The one enforcement point: who asks, and may they? Fed by the endpoint table, closed by default.

It knows headers, tokens and challenges; the decisions are `auth.policy`'s. A verified token is remembered until it
expires, so that a pull costs a look into a dictionary. A refusal takes the same steps for what is absent and hidden.
"""

import time
from collections.abc import Mapping
from typing import Protocol

from starlette.types import Scope

from auth.policy import Action, Reach, reach
from auth.scopes import Scope as TokenScope
from auth.tokens import InvalidToken, Verifier
from registry.accounts.advice import Advice
from registry.accounts.holders import load_named
from registry.accounts.keys import KeyRing
from registry.accounts.sign_in import Principal
from registry.accounts.tokens import allowed_actions
from registry.catalog.catalog import Catalog
from registry.edge.authorization import Basic, Bearer, MalformedAuthorization, parse_authorization, raw_authorization
from registry.edge.bridge import Lane
from registry.edge.callers import LIST, SEARCH, Caller, Means, address_of, origin_of
from registry.edge.challenges import Challenges, scopes_for
from registry.edge.doorman import Doorman
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName

REMEMBERED_BYTES = 4 * 2**20
"""How much of verified tokens a worker remembers."""

ADDRESSES_LIMIT = 10_000

EVERYTHING = Reach.of_everything()


class Access(Protocol):
    """What the router and the handlers ask."""

    def known(self, scope: Scope) -> Caller | None:
        """Tell who asks where that takes no waiting; None: ask `identify`."""
        ...

    async def identify(self, scope: Scope, action: Action, repositories: tuple[RepositoryName, ...]) -> Caller:
        """Tell who asks. Raises UNAUTHORIZED with a challenge; TOOMANYREQUESTS."""
        ...

    async def refusal(
        self, scope: Scope, caller: Caller, action: Action, repositories: tuple[RepositoryName, ...]
    ) -> RegistryError:
        """Say why the caller may not do this; the first repository is what it would be done to."""
        ...

    def reach(self, caller: Caller) -> Reach:
        """Tell what the caller may pull by what their rights are now; for a thread."""
        ...

    def may_pull_now(self, caller: Caller, repository: RepositoryName) -> bool:
        """Tell whether a new token for the caller would cover a pull; for a thread."""
        ...


class OpenAccess:
    """Open mode: everybody may read and write everything; a caller is a network address. Belongs to the event loop."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}

    def known(self, scope: Scope) -> Caller:
        """Call the caller by their address; remembered, for the same few make most of the traffic."""
        address = address_of(scope)
        caller = self._callers.get(address)
        if caller is None:
            if len(self._callers) >= ADDRESSES_LIMIT:
                self._callers.clear()
            caller = self._callers[address] = Caller(address, "open", Means.OPEN)
        return caller

    async def identify(self, scope: Scope, action: Action, repositories: tuple[RepositoryName, ...]) -> Caller:
        """Call the caller by their address."""
        return self.known(scope)

    async def refusal(
        self, scope: Scope, caller: Caller, action: Action, repositories: tuple[RepositoryName, ...]
    ) -> RegistryError:
        """Refuse, which nothing asks for."""
        return RegistryError(ErrorCode.DENIED)

    def reach(self, caller: Caller) -> Reach:
        """Let everybody see everything."""
        return EVERYTHING

    def may_pull_now(self, caller: Caller, repository: RepositoryName) -> bool:
        """Let everybody pull everything."""
        return True


class AccountAccess:
    """Accounts: tokens, Basic credentials, anonymous readers with a token of their own."""

    def __init__(
        self,
        catalog: Catalog,
        keys: KeyRing,
        verifier: Verifier,
        doorman: Doorman,
        challenges: Challenges,
        lane: Lane,
    ) -> None:
        self._catalog = catalog
        self._keys = keys
        self._verifier = verifier
        self._doorman = doorman
        self._challenges = challenges
        self._lane = lane
        self._advice = Advice(catalog)
        self._verified: dict[bytes, Caller] = {}
        self._verified_bytes = 0
        self._verified_by: Mapping[str, object] | None = None

    def known(self, scope: Scope) -> Caller | None:
        """Recognise a token that was verified before."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        caller = self._verified.get(given[0]) if len(given) == 1 else None  # two of them are for `identify` to refuse
        if caller is None or caller.expires_at <= time.time() or self._verified_by is not self._keys.seen:
            return None
        return caller

    async def identify(self, scope: Scope, action: Action, repositories: tuple[RepositoryName, ...]) -> Caller:
        """Tell who asks. Raises UNAUTHORIZED with a challenge; TOOMANYREQUESTS."""
        scopes = scopes_for(action, *(name.value for name in repositories))
        try:
            value = raw_authorization(scope)
            given = parse_authorization(value) if value is not None else None
        except MalformedAuthorization as error:
            raise self._unauthorized(scope, scopes, str(error), error="invalid_request") from None
        if isinstance(given, Bearer) and value is not None:
            return await self._bearer(scope, value, given.token, scopes)
        if isinstance(given, Basic) and not given.empty:
            return await self._basic(scope, given, scopes, repositories)
        if action is Action.SEARCH and (given is not None or _says_docker_token(scope)):
            return Caller("", "anonymous", Means.BASIC, registry=frozenset({SEARCH}))
        raise self._unauthorized(scope, scopes, f"sign in first: docker login {self._challenges.host(scope)}")

    async def refusal(
        self, scope: Scope, caller: Caller, action: Action, repositories: tuple[RepositoryName, ...]
    ) -> RegistryError:
        """Say why the caller may not do this, by 401 where another token could, by 403 to who signed in with Basic."""
        sentence = "this token does not cover that"
        if repositories:
            host = self._challenges.host(scope)
            sentence = await self._lane.call(
                self._advice.refused, caller.name, caller.credential, action, repositories[0], host=host
            )
        if caller.means is Means.BASIC:
            return RegistryError(ErrorCode.DENIED, sentence)
        scopes = scopes_for(action, *(name.value for name in repositories))
        code = ErrorCode.INSUFFICIENT_SCOPE if caller.name else ErrorCode.UNAUTHORIZED
        return self._challenge(scope, scopes, code, sentence, error="insufficient_scope")

    def reach(self, caller: Caller) -> Reach:
        """Tell what the caller may pull by what their rights are now."""
        with self._catalog.read() as tx:
            return reach(load_named(tx, caller.name, caller.credential))

    def may_pull_now(self, caller: Caller, repository: RepositoryName) -> bool:
        """Tell whether a new token for the caller would cover a pull."""
        with self._catalog.read() as tx:
            return "pull" in allowed_actions(tx, load_named(tx, caller.name, caller.credential), repository)

    async def _bearer(self, scope: Scope, value: bytes, token: str, scopes: tuple[TokenScope, ...]) -> Caller:
        now = int(time.time())
        keys = self._keys.seen
        try:
            try:
                claims = self._verifier.verify(token, keys or {}, now)
            except InvalidToken as error:
                if not error.unknown_key:
                    raise
                keys = await self._lane.call(self._keys.look)
                claims = self._verifier.verify(token, keys, now)
        except InvalidToken as error:
            what = "the token has expired" if error.expired else "the token is not valid here"
            raise self._unauthorized(scope, scopes, f"{what}; get a new one", error="invalid_token") from None
        caller = Caller(
            claims.subject,
            claims.kind.value,
            Means.BEARER,
            claims.credential,
            claims.access,
            claims.registry,
            claims.expires_at,
        )
        self._remember(value, caller, keys or {})
        return caller

    async def _basic(
        self, scope: Scope, given: Basic, scopes: tuple[TokenScope, ...], repositories: tuple[RepositoryName, ...]
    ) -> Caller:
        try:
            principal = await self._doorman.sign_in(given.name, given.secret, origin_of(scope))
        except RegistryError as error:
            if error.code is not ErrorCode.UNAUTHORIZED:
                raise
            raise self._unauthorized(scope, scopes, error.message) from None
        return await self._lane.call(self._signed_in, principal, repositories)

    def _signed_in(self, principal: Principal, repositories: tuple[RepositoryName, ...]) -> Caller:
        """Ask the policy what a token would have granted, for just these repositories."""
        with self._catalog.read() as tx:
            access = {name.value: allowed_actions(tx, principal.holder, name) for name in repositories}
        holder = principal.holder
        return Caller(
            holder.name, holder.kind.value, Means.BASIC, principal.credential, access, frozenset({LIST, SEARCH})
        )

    def _remember(self, value: bytes, caller: Caller, keys: Mapping[str, object]) -> None:
        if keys is not self._verified_by or self._verified_bytes > REMEMBERED_BYTES:
            self._verified.clear()
            self._verified_bytes, self._verified_by = 0, keys
        self._verified[value] = caller
        self._verified_bytes += len(value)

    def _unauthorized(
        self, scope: Scope, scopes: tuple[TokenScope, ...], sentence: str, *, error: str | None = None
    ) -> RegistryError:
        return self._challenge(scope, scopes, ErrorCode.UNAUTHORIZED, sentence, error=error)

    def _challenge(
        self, scope: Scope, scopes: tuple[TokenScope, ...], code: ErrorCode, sentence: str, *, error: str | None
    ) -> RegistryError:
        challenge = self._challenges.header(scope, scopes, error=error, description=sentence)
        return RegistryError(code, sentence, headers={"www-authenticate": challenge, "cache-control": "no-store"})


def _says_docker_token(scope: Scope) -> bool:
    return any(name == b"x-docker-token" for name, _ in scope["headers"])
