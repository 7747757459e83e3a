"""From a request to its handler, and from what went wrong to Docker's answer: the engine's ASGI application.

Source: Docker Engine API, "Versioning" and "Errors"; the sentences are those of moby's version middleware.
"""

import logging
import re
from collections.abc import Iterable, Mapping

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime import API_VERSION, MIN_API_VERSION
from runtime.api.call import Call, ClientGone
from runtime.api.endpoints import ENDPOINTS, Endpoint, Handler
from runtime.api.versions import dotted
from runtime.engine import Engine
from runtime.errors import BadParameter, EngineError, NotFound, NotModified

_VERSIONED = re.compile(r"/v(\d{1,4})\.(\d{1,4})(/.*)", re.ASCII | re.DOTALL)
_BUILDKIT = frozenset({"/grpc", "/session"})

_log = logging.getLogger(__name__)


MARKS = (
    (b"api-version", dotted(API_VERSION).encode()),
    (b"docker-experimental", b"false"),
    (b"ostype", b"linux"),
    (b"server", b"Moorage (linux)"),
)
"""The headers of every answer, by which clients know what they speak to."""


class Router:
    """The engine's API."""

    def __init__(self, engine: Engine, endpoints: Iterable[Endpoint] = ENDPOINTS) -> None:
        self._engine = engine
        self._rows = [(row, re.compile(row.pattern)) for row in endpoints]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        marked = _Marked(send)
        try:
            app = await self._answer(scope, receive)
            await app(scope, receive, marked)
        except (ClientGone, ClientDisconnect):
            return
        except EngineError as error:
            if marked.begun:
                raise
            await rendered(error)(scope, receive, marked)
        except ConnectionError:
            raise
        except Exception as error:  # the one edge where everything becomes an answer
            _log.exception("%s %s broke", scope["method"], scope["path"])
            if marked.begun:
                raise ConnectionAbortedError("the answer broke off") from error
            await rendered(EngineError(f"the engine broke ({type(error).__name__}): see its log"))(
                scope, receive, marked
            )

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        version, path = versioned(scope["path"])
        handler, parts = self._find(scope["method"], path)
        call = Call(scope, receive, self._engine, parts, version)
        return await handler(call)

    def _find(self, method: str, path: str) -> tuple[Handler, Mapping[str, str]]:
        """Find who answers a path. Raises NotFound; HEAD is GET's where it has no row of its own."""
        methods = {method, "GET"} if method == "HEAD" else {method}
        for row, pattern in self._rows:
            if row.method in methods and (match := pattern.fullmatch(path)):
                return row.handler, match.groupdict()
        if path in _BUILDKIT:
            raise NotFound("this engine has no BuildKit: build with DOCKER_BUILDKIT=0 set, or with moor build")
        raise NotFound("page not found")


def versioned(path: str) -> tuple[tuple[int, int], str]:
    """Split `/v1.41/info` into the version asked for, ours where there is none, and the path.

    Raises: BadParameter for a version that is not spoken here, and for paths that no client means.
    """
    if "\0" in path:
        raise BadParameter("bad request: the path holds a NUL")
    match = _VERSIONED.fullmatch(path)
    if match is None:
        return API_VERSION, path
    version = int(match[1]), int(match[2])
    asked = dotted(version)
    if version > API_VERSION:
        ours = dotted(API_VERSION)
        raise BadParameter(f"client version {asked} is too new. Maximum supported API version is {ours}")
    if version < MIN_API_VERSION:
        oldest = dotted(MIN_API_VERSION)
        raise BadParameter(
            f"client version {asked} is too old. Minimum supported API version is {oldest}, "
            "please upgrade your client to a newer version"
        )
    return version, match[3]


def rendered(error: EngineError) -> Response:
    """Write an error as Docker does."""
    if isinstance(error, NotModified):
        return Response(status_code=error.status)
    return JSONResponse({"message": str(error)}, error.status)


class _Marked:
    """A `send` that puts our marks on the answer's head, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": [*message.get("headers", ()), *MARKS]}
        await self._send(message)
