"""From a path to an endpoint, and from what is raised to an answer: the one ASGI app behind /v2/.

Repository names hold slashes, so the last `/blobs/`, `/manifests/`, `/tags/` or `/referrers/` of a path counts.
"""

import re
from collections import defaultdict

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth.policy import Action
from registry.api import endpoints
from registry.api.answers import MARKS, Ready
from registry.api.call import Call, Services, Target
from registry.api.endpoints import ENDPOINTS, Endpoint
from registry.edge.bridge import ClientGone
from registry.edge.callers import NOBODY, Caller, Means
from registry.edge.problems import problem_of, problem_response
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName

ORDER = (
    endpoints.PING,
    endpoints.CATALOG,
    endpoints.TAGS,
    endpoints.UPLOADS,
    endpoints.UPLOAD,
    endpoints.TAGGED,
    endpoints.DIGESTED,
    endpoints.BLOB,
    endpoints.REFERRERS,
    endpoints.TOKEN,
    endpoints.JWKS,
    endpoints.SEARCH_PING,
    endpoints.SEARCH,
)
"""Which pattern is tried first: `uploads` is no digest."""

BESIDE = frozenset({"/v2", "/token", "/.well-known/jwks.json", "/v1/_ping", "/v1/search"})
"""Addresses that the table has outside /v2/."""

PATHS_LIMIT = 10_000
LONGEST_KNOWN = 512

Routes = dict[str, tuple[Endpoint, ...]]


class Router:
    """Answers every request of the endpoint table."""

    def __init__(self, services: Services) -> None:
        self._services = services
        by_pattern: dict[str, dict[str, list[Endpoint]]] = defaultdict(lambda: defaultdict(list))
        for endpoint in ENDPOINTS:
            for method in endpoint.methods:
                by_pattern[endpoint.pattern][method].append(endpoint)
        self._patterns = tuple(
            (re.compile(pattern, re.ASCII | re.DOTALL).fullmatch, {m: tuple(e) for m, e in by_pattern[pattern].items()})
            for pattern in ORDER
        )
        self._known: dict[str, tuple[Target, Routes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *MARKS]
            await send(message)

        try:
            answer = await self._answer(scope, receive)
            if isinstance(answer, Ready):
                started = True
                await answer(scope, receive, send)
            else:
                await answer(scope, receive, send_marked)
        except ClientGone:
            return
        except Exception as error:  # the one edge where everything becomes an answer
            problem = problem_of(error, scope.get("state", {}).get("request_id", ""))
            if started:
                raise
            await problem_response(problem)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        target, routes = self._match(scope["path"])
        endpoint = _choose(routes, scope)
        access = self._services.access
        caller = NOBODY if endpoint.action is Action.ANYONE else access.known(scope)
        name = target.name.value if target.name is not None else None
        if caller is None or not caller.may(endpoint.action, name):
            caller = await self._admitted(scope, caller, endpoint, target)
        if caller.means is not Means.OPEN:
            scope.setdefault("state", {})["actor"] = caller.name
        return await endpoint.handler(Call(scope, receive, self._services, caller, target))

    async def _admitted(self, scope: Scope, caller: Caller | None, endpoint: Endpoint, target: Target) -> Caller:
        """Let a request pass whose caller is not known yet, or refuse it. Nothing else does."""
        access = self._services.access
        repositories = _repositories(scope, endpoint, target)
        if caller is None:
            caller = await access.identify(scope, endpoint.action, repositories)
        if not caller.may(endpoint.action, repositories[0].value if repositories else None):
            raise await access.refusal(scope, caller, endpoint.action, repositories)
        return caller

    def _match(self, path: str) -> tuple[Target, Routes]:
        """Find what a path names; remembered, for the same few paths make most of the traffic."""
        known = self._known.get(path)
        if known is None:
            known = self._parse(path)
            if len(self._known) >= PATHS_LIMIT:
                self._known.clear()
            if len(path) <= LONGEST_KNOWN:
                self._known[path] = known
        return known

    def _parse(self, path: str) -> tuple[Target, Routes]:
        for fullmatch, routes in self._patterns:
            found = fullmatch(path)
            if found:
                return Target(found.groupdict()), routes
        raise RegistryError(ErrorCode.NOT_FOUND)


def _choose(routes: Routes, scope: Scope) -> Endpoint:
    method = scope["method"]
    candidates = routes.get(method)
    if candidates is None:
        allowed = ", ".join(sorted(routes))
        raise RegistryError(
            ErrorCode.UNSUPPORTED, f"{method[:16]} is not supported here; {allowed} is", headers={"allow": allowed}
        )
    if len(candidates) == 1:
        return candidates[0]
    query = QueryParams(scope["query_string"])
    return next(row for row in candidates if row.query is None or row.query in query)


def _repositories(scope: Scope, endpoint: Endpoint, target: Target) -> tuple[RepositoryName, ...]:
    """Name the repositories that a request is about: its own and, of a mount, the one that it mounts from."""
    if target.name is None:
        return ()
    source = QueryParams(scope["query_string"]).get("from") if endpoint.query == "mount" else None
    return (target.name, RepositoryName.parse(source)) if source else (target.name,)


def not_found() -> Response:
    """Answer for what lies at no address of this server."""
    return problem_response(RegistryError(ErrorCode.NOT_FOUND))
