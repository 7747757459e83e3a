"""Answers that go on: lines of JSON, bytes from a service's thread, and hijacked connections with Docker's framing.

Source: Docker Engine API, "Attach to a container" (stream format, hijacking) and "Create an image" (progress lines).
Knows nothing of what is sent.
"""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.api.call import Call
from runtime.errors import EngineError
from runtime.http.duplex import Duplex

Line = Mapping[str, Any]
Feed = Callable[[Line], None]
"""What a service calls with each line of its progress, from any thread."""

STDIN, STDOUT, STDERR = 0, 1, 2

JSON = "application/json"
RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
MULTIPLEXED_SINCE = (1, 42)


class Cancelled(Exception):
    """The client went away: its service should stop, and undo what it had begun."""


def frame(stream: int, data: bytes) -> bytes:
    """Put Docker's header before a piece of output: the stream's number, three zeros, the size in 4 bytes."""
    return struct.pack(">BxxxL", stream, len(data)) + data


def encoded(line: Line) -> bytes:
    """Write a line as Docker does."""
    return json.dumps(line, separators=(",", ":")).encode() + b"\r\n"


def error_line(message: str, code: int | None = None) -> dict[str, Any]:
    """The line that tells of a failure after others went out; `code`: a failed build step's exit code."""
    detail: dict[str, Any] = {"message": message} if code is None else {"code": code, "message": message}
    return {"errorDetail": detail, "error": message}


class Answer:
    """The answer under way: its head goes out with the first piece, or at once when asked."""

    def __init__(self, send: Send, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        self._send = send
        self._head = [(b"content-type", media_type.encode())]
        self._head += [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        self._lock = asyncio.Lock()
        self.begun = False

    async def begin(self) -> None:
        """Send the head, if it has not gone out."""
        if not self.begun:
            self.begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._head})
            await self._send({"type": "http.response.body", "body": b"", "more_body": True})

    async def write(self, data: bytes) -> None:
        """Send one piece, whole, behind those before it."""
        async with self._lock:
            await self.begin()
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """Say that nothing more comes."""
        async with self._lock:
            await self.begin()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


class Outlet:
    """The way of bytes from any thread to the client, at the client's pace."""

    def __init__(self, put: Callable[[bytes], Awaitable[None]]) -> None:
        self._put = put
        self._loop = asyncio.get_running_loop()
        self._cancelled = False

    def write(self, data: bytes) -> None:
        """Send bytes and wait until they are on their way. Never on the loop's thread. Raises Cancelled."""
        if self._cancelled:
            raise Cancelled
        try:
            asyncio.run_coroutine_threadsafe(self._sent(data), self._loop).result()
        except ConnectionError:
            self._cancelled = True
            raise Cancelled from None

    async def _sent(self, data: bytes) -> None:
        await self._put(data)


class ProgressFeed:
    """A `Feed` into an outlet; `feed(line)` raises Cancelled after the client has gone."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def __call__(self, line: Line) -> None:
        """Send a line."""
        self._outlet.write(encoded(line))


def progress(call: Call, work: Callable[[Feed], object], *, at_once: bool = False) -> ASGIApp:
    """Run `work(feed)` in a thread; each line that it feeds is one of the answer.

    An EngineError before the first line is an ordinary error answer, after it a line of its own. With `at_once` the
    head does not wait for the first line.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = Answer(send, JSON)
        if at_once:
            await answer.begin()
        try:
            await _through_thread(call, lambda outlet: work(ProgressFeed(outlet)), answer)
        except EngineError as error:
            if not answer.begun:
                raise
            with suppress(ConnectionError):
                await answer.write(encoded(error_line(str(error), getattr(error, "code", None))))
        await _ended(answer)

    return app


def download(
    call: Call,
    work: Callable[[Callable[[bytes], None]], object],
    media_type: str,
    headers: Mapping[str, str] | None = None,
) -> ASGIApp:
    """Run `work(write)` in a thread; what it writes is the answer's body.

    An EngineError before the first byte is an ordinary error answer; after it the answer is cut off, so that no client
    takes it for whole.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = Answer(send, media_type, headers)
        await _through_thread(call, lambda outlet: work(outlet.write), answer)
        await _ended(answer)

    return app


async def _through_thread(call: Call, work: Callable[[Outlet], object], answer: Answer) -> None:
    """Run `work` to its end in a thread; raises what it raised, but for the client's leaving."""
    with suppress(Cancelled):
        await call.run(work, Outlet(answer.write))


async def _ended(answer: Answer) -> None:
    with suppress(ConnectionError):
        await answer.end()


class Lines:
    """An answer of JSON lines from an asynchronous iterator, closed when the client leaves.

    With `at_once` the head does not wait for the first line.
    """

    def __init__(self, call: Call, lines: AsyncIterator[Line], *, at_once: bool = False) -> None:
        self._call = call
        self._lines = lines
        self._at_once = at_once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them all."""
        answer = Answer(send, JSON)
        if self._at_once:
            await answer.begin()
        await while_there(self._call, self._send(answer))

    async def _send(self, answer: Answer) -> None:
        try:
            async for line in self._lines:
                await answer.write(encoded(line))
        except EngineError as error:
            if not answer.begun:
                raise
            await answer.write(encoded(error_line(str(error))))
        await answer.end()


class Hijacked:
    """An answer that gives the connection itself to `talk`, for bytes both ways; closed when `talk` returns.

    `tty`: the bytes are raw; otherwise `talk` frames its output, which clients since 1.42 are told by the media type.
    """

    def __init__(self, call: Call, talk: Callable[[Duplex], Awaitable[None]], *, tty: bool) -> None:
        self._talk = talk
        self._media_type = RAW if tty or call.version < MULTIPLEXED_SINCE else MULTIPLEXED
        self._upgrade = call.headers.get("upgrade")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the connection over and talk."""
        head = [(b"Content-Type", self._media_type.encode())]
        if self._upgrade is not None:
            head += [(b"Connection", b"Upgrade"), (b"Upgrade", b"tcp")]
        hijack = scope["extensions"]["moorage.hijack"]
        duplex: Duplex = await hijack(200 if self._upgrade is None else 101, head)
        try:
            await self._talk(duplex)
        finally:
            await duplex.close()


async def while_there(call: Call, sending: Coroutine[object, object, None]) -> None:
    """Send until all is sent or the client has gone, and then stop sending. Raises what sending raises."""
    task = asyncio.ensure_future(sending)
    leaving = asyncio.ensure_future(call.left())
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in (task, leaving):
            each.cancel()
        await asyncio.wait({task, leaving})
    if not task.cancelled():
        with suppress(ConnectionError):
            task.result()
