"""A client's connection as requests, one after another: keep-alive, bad input, and what is left of unread bodies.

A bad head ends the connection with its answer; so does a request that means two things (RFC 9112, 6.3: both
Content-Length and Transfer-Encoding), because a proxy before this socket may have read the other one.
"""

import asyncio
import json
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol

import h11

from runtime.http.duplex import Duplex
from runtime.http.exchange import REASONS, Exchange, next_event

HEAD_LIMIT = 64 * 1024
"""Bytes of a request's line and headers."""

HEAD_BLOCK = 16 * 1024
"""Bytes read at a time while a head comes: h11 counts only what it could not use yet."""

HEAD_SECONDS = 30.0
"""From a head's first byte to its last; between requests a client may be still for as long as it likes."""

LINGER_SECONDS = 5.0
LINGER_BYTES = 16 * 2**20
"""How long, and how much, of an unread body is thrown away so that the client comes to read its answer."""


class Application(Protocol):
    """An ASGI application."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""


class Stage(Enum):
    """Where a connection stands, for who has to end it."""

    IDLE = "between requests"
    ASKED = "a request waits for its answer"
    ANSWERING = "an answer, or a hijacked stream, is under way"


class Conversation:
    """The requests of one connection."""

    def __init__(self, duplex: Duplex, app: Application) -> None:
        self._duplex = duplex
        self._app = app
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._exchange: Exchange | None = None
        self._last = False

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        if self._exchange is None:
            return Stage.IDLE
        return Stage.ANSWERING if self._exchange.begun else Stage.ASKED

    def finish(self) -> None:
        """Let the request under way be the last."""
        self._last = True

    async def run(self) -> None:
        """Answer until either side has enough; closes the connection."""
        try:
            while await self._next():
                pass
        except ConnectionError:
            pass  # gone: nobody is left to be told
        finally:
            await self._duplex.close()

    async def _next(self) -> bool:
        """Answer one request; True where another may come."""
        try:
            request = await self._request()
        except h11.RemoteProtocolError as error:
            return await self._refuse(error)
        except TimeoutError:
            return await self._refuse(h11.RemoteProtocolError("the request's head took too long", 408))
        if request is None:
            return False
        exchange = self._exchange = Exchange(self._protocol, self._duplex, request)
        await self._app(exchange.scope(), exchange.receive, exchange.send)
        if exchange.broken and not exchange.begun:
            return await self._refuse(exchange.broken)
        return not exchange.over and await self._again()

    async def _request(self) -> h11.Request | None:
        """Read a head; None where no other comes."""
        if not self._protocol.trailing_data[0]:
            first = await self._duplex.read(HEAD_BLOCK)
            if not first:
                return None
            self._protocol.receive_data(first)
        async with asyncio.timeout(HEAD_SECONDS):
            event = await next_event(self._protocol, self._duplex, HEAD_BLOCK)
        if not isinstance(event, h11.Request):
            return None
        if event.http_version not in {b"1.0", b"1.1"}:
            raise h11.RemoteProtocolError("only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
        names = [name for name, _ in event.headers]
        if b"transfer-encoding" in names and b"content-length" in names:
            raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding", 400)
        return event

    async def _again(self) -> bool:
        """Make ready for the next request; False where this was the last."""
        if self._protocol.our_state not in {h11.DONE, h11.MUST_CLOSE}:
            return False  # the answer was cut off, and the client shall see that
        if not self._read_whole() or self._protocol.our_state is h11.MUST_CLOSE:
            await self._linger()
            return False
        if self._last or self._protocol.their_state is not h11.DONE:
            return False
        self._exchange = None
        self._protocol.start_next_cycle()
        return True

    def _read_whole(self) -> bool:
        """Whether the request's body is here to its end, though nobody may have read it."""
        try:
            while self._protocol.their_state is h11.SEND_BODY:
                if self._protocol.next_event() is h11.NEED_DATA:
                    return False
        except h11.RemoteProtocolError:
            return False
        return True

    async def _refuse(self, error: h11.RemoteProtocolError) -> bool:
        """Answer a request that could not be read, and end the connection."""
        if self._protocol.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            status = error.error_status_hint
            body = json.dumps({"message": f"bad request: {error}"}).encode() + b"\n"
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            parts = (
                h11.Response(status_code=status, headers=headers, reason=REASONS.get(status, b"")),
                h11.Data(data=body),
                h11.EndOfMessage(),
            )
            await self._duplex.write(b"".join(self._protocol.send(part) or b"" for part in parts))
            await self._linger()
        return False

    async def _linger(self) -> None:
        """Throw away what the client still sends: closing at once could take the answer away with it."""
        await self._duplex.write_eof()
        left = LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0 and (data := await self._duplex.read()):
                    left -= len(data)
