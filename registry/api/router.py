"""From a path to an endpoint, and from what is raised to an answer: the one ASGI app behind /v2/.

Repository names hold slashes, so the last `/blobs/`, `/manifests/`, `/tags/` or `/referrers/` of a path counts.
"""

import re
from collections import defaultdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api import endpoints
from registry.api.call import Call, Services
from registry.api.endpoints import ENDPOINTS, Endpoint
from registry.edge.bridge import ClientGone
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
)
"""Which pattern is tried first: `uploads` is no digest."""

EVERY_ANSWER = (
    (b"docker-distribution-api-version", b"registry/2.0"),
    (b"x-content-type-options", b"nosniff"),
)

Routes = dict[str, tuple[Endpoint, ...]]


class Router:
    """Answers every request below /v2/."""

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *EVERY_ANSWER]
            await send(message)

        try:
            answer = await self._answer(Request(scope, receive))
            if answer is not None:
                await answer(scope, receive, send_marked)
        except ClientGone:
            return
        except Exception as error:  # the one edge where everything becomes an answer
            problem = problem_of(error, scope.get("state", {}).get("request_id", ""))
            if started:
                raise
            await problem_response(problem)(scope, receive, send_marked)

    async def _answer(self, request: Request) -> ASGIApp | None:
        path, routes = self._match(request.scope["path"])
        endpoint = _choose(routes, request)
        services = self._services
        subject = services.access.subject(request.scope)
        name = RepositoryName.parse(path["name"]) if "name" in path else None
        services.access.require(subject, endpoint.action, name)
        return await endpoint.handler(Call(request, services, subject, name, path))

    def _match(self, path: str) -> tuple[dict[str, str], Routes]:
        for fullmatch, routes in self._patterns:
            found = fullmatch(path)
            if found:
                return found.groupdict(), routes
        raise RegistryError(ErrorCode.NOT_FOUND)


def _choose(routes: Routes, request: Request) -> Endpoint:
    method = request.method
    candidates = routes.get(method)
    if candidates is None:
        allowed = ", ".join(sorted(routes))
        raise RegistryError(
            ErrorCode.UNSUPPORTED, f"{method[:16]} is not supported here; {allowed} is", headers={"allow": allowed}
        )
    if len(candidates) == 1:
        return candidates[0]
    return next(row for row in candidates if row.query is None or row.query in request.query_params)


def not_found() -> Response:
    """Answer for what lies at no address of this server."""
    return problem_response(RegistryError(ErrorCode.NOT_FOUND))
