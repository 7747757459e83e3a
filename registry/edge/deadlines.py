"""How fast a request's body has to come, and which requests may have none.

Uploads of blobs may take as long as they like while they move: no minute without a byte, and at least 1 KiB a second
over half-minute windows. Every other body has 15 seconds in all. Only time spent waiting for the client counts, never
the registry's own. A GET, HEAD or DELETE with a body is refused: nothing here reads it.
"""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.edge.problems import problem_response
from registry.oci.errors import ErrorCode, RegistryError

BODILESS = frozenset({"GET", "HEAD", "DELETE"})
UPLOADS = "/blobs/uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyDeadlines:
    """The limits; times in seconds. `window` and `window_bytes` together are the slowest allowed upload."""

    idle: float = 60.0
    window: float = 30.0
    window_bytes: int = 30 * 1024
    other_total: float = 15.0


class Deadlines:
    """Gives every body a deadline; a late one raises REQUEST_TIMEOUT out of `receive`."""

    def __init__(self, app: ASGIApp, *, limits: BodyDeadlines | None = None) -> None:
        self._app = app
        self._limits = limits or BodyDeadlines()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with a watched `receive` if it has a body."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        if scope["method"] in BODILESS:
            await problem_response(_unwanted(scope["method"]))(scope, receive, send)
            return
        limits = self._limits
        if UPLOADS in scope["path"]:
            await self._app(scope, _Moving(receive, limits).receive, send)
            return
        await self._app(scope, _Whole(receive, limits.other_total).receive, send)


class _Moving:
    """A body that has to keep moving."""

    __slots__ = ("_bytes", "_done", "_limits", "_receive", "_waited")

    def __init__(self, receive: Receive, limits: BodyDeadlines) -> None:
        self._receive = receive
        self._limits = limits
        self._waited = 0.0
        self._bytes = 0
        self._done = False

    async def receive(self) -> Message:
        """Give the next piece; judge the window whenever one has passed."""
        if self._done:
            return await self._receive()
        limits, loop = self._limits, asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(limits.idle):
                message = await self._receive()
        except TimeoutError:
            raise _late(f"no byte of the upload came for {limits.idle:g} seconds; resume it") from None
        self._waited += loop.time() - began
        self._bytes += len(message.get("body", b""))
        self._done = not message.get("more_body", False)
        if self._waited >= limits.window and not self._done:
            if self._bytes < limits.window_bytes:
                raise _late(
                    f"the upload came at less than {limits.window_bytes / limits.window:.0f} bytes a second; resume it"
                )
            self._waited, self._bytes = 0.0, 0
        return message


class _Whole:
    """A body that has to be there in a fixed time."""

    __slots__ = ("_done", "_left", "_receive", "_total")

    def __init__(self, receive: Receive, total: float) -> None:
        self._receive = receive
        self._total = self._left = total
        self._done = False

    async def receive(self) -> Message:
        """Give the next piece, if there is time left for it."""
        if self._done:
            return await self._receive()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._left):
                message = await self._receive()
        except TimeoutError:
            raise _late(f"the request's body did not come within {self._total:g} seconds") from None
        self._left -= loop.time() - began
        self._done = not message.get("more_body", False)
        return message


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return bool(value.strip(b"0"))
        if name == b"transfer-encoding":
            return True
    return False


def _late(message: str) -> RegistryError:
    # The rest of the body would be read as the next request.
    return RegistryError(ErrorCode.REQUEST_TIMEOUT, message, headers={"connection": "close"})


def _unwanted(method: str) -> RegistryError:
    return RegistryError(
        ErrorCode.BODY_TOO_LARGE, f"a {method} request has no body here", headers={"connection": "close"}
    )
