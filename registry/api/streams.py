"""Sending a blob's bytes: by the server's own sendfile where it offers one (ASGI's `http.response.pathsend` for whole
blobs, `zerocopysend` for parts), else in 1 MiB blocks.

A reader that goes away is noticed between blocks, for a send to it raises nothing on today's servers. What cannot be
sent whole ends the connection, so that no client takes a part for the whole.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiofiles
from aiofiles.threadpool.binary import AsyncFileIO
from starlette.types import Receive, Scope, Send

from registry.api.answers import encoded
from registry.api.ranges import Span
from registry.catalog.blobs import Blob
from registry.content.blobs import Blobs
from registry.edge.bridge import BLOCK, Lane
from storage.errors import NotFound, Unavailable

PATHSEND = "http.response.pathsend"
ZEROCOPY = "http.response.zerocopysend"
END = {"type": "http.response.body", "body": b"", "more_body": False}


class FileAnswer:
    """One span of a blob, as an ASGI app."""

    def __init__(
        self, blobs: Blobs, lane: Lane, blob: Blob, span: Span, headers: dict[str, str], *, status: int
    ) -> None:
        self._blobs = blobs
        self._lane = lane
        self._blob = blob
        self._span = span
        self._status = status
        self._headers = headers | {"content-length": str(span[1] - span[0])}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        path = self._blobs.local_path(self._blob)
        whole = self._span == (0, self._blob.size)
        start = {"type": "http.response.start", "status": self._status, "headers": encoded(self._headers)}
        if path is not None and whole and self._blob.size and offers(scope, PATHSEND):
            await self._lane.call(check_size, path, self._blob.size)
            await send(start)
            await send({"type": PATHSEND, "path": str(path)})
            return
        async with opened(self._blobs, self._lane, self._blob, self._span, scope, receive) as send_span:
            await send(start)
            await send_span(self._span, send)
            await send(END)


class PartsAnswer:
    """Several spans of a blob as multipart/byteranges (RFC 9110, section 14.6), as an ASGI app."""

    def __init__(self, blobs: Blobs, lane: Lane, blob: Blob, spans: list[Span], headers: dict[str, str]) -> None:
        self._blobs = blobs
        self._lane = lane
        self._blob = blob
        boundary = secrets.token_hex(16)
        self._parts = [(_part_head(boundary, span, blob.size), span) for span in spans]
        self._end = f"\r\n--{boundary}--\r\n".encode()
        length = len(self._end) + sum(len(head) + stop - start for head, (start, stop) in self._parts)
        self._headers = headers | {
            "content-type": f"multipart/byteranges; boundary={boundary}",
            "content-length": str(length),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        first = self._parts[0][1]
        async with opened(self._blobs, self._lane, self._blob, first, scope, receive) as send_span:
            await send({"type": "http.response.start", "status": 206, "headers": encoded(self._headers)})
            for head, span in self._parts:
                await send({"type": "http.response.body", "body": head, "more_body": True})
                await send_span(span, send)
            await send({**END, "body": self._end})


SendSpan = Callable[[Span, Send], Awaitable[None]]


@asynccontextmanager
async def opened(
    blobs: Blobs, lane: Lane, blob: Blob, first: Span, scope: Scope, receive: Receive
) -> AsyncIterator[SendSpan]:
    """Open a blob for sending spans of it, `first` before the others, before any header is sent.

    Raises: storage.errors.StorageError, by then.
    """
    path = blobs.local_path(blob)
    if path is None:
        blocks = await lane.call(blobs.read, blob, *first)
        async with until_gone(receive) as gone:
            yield partial(_send_blocks, _Remote(blobs, lane, blob, {first: blocks}).blocks, gone)
        return
    try:
        file = await aiofiles.open(path, "rb", buffering=0, executor=lane.executor)
    except FileNotFoundError:
        raise NotFound(blob.key) from None
    try:
        if offers(scope, ZEROCOPY):
            await lane.call(check_size, path, blob.size)
            yield partial(_send_descriptor, file.fileno())
            return
        async with until_gone(receive) as gone:
            yield partial(_send_blocks, partial(_local_blocks, file, blob), gone)
    finally:
        await file.close()


async def _send_descriptor(descriptor: int, span: Span, send: Send) -> None:
    """Let the server send a part of an open file by itself."""
    start, stop = span
    if stop > start:
        await send({"type": ZEROCOPY, "file": descriptor, "offset": start, "count": stop - start, "more_body": True})


async def _send_blocks(
    blocks: Callable[[Span], AsyncIterator[bytes]], gone: asyncio.Event, span: Span, send: Send
) -> None:
    async for block in blocks(span):
        if gone.is_set():
            return
        await send({"type": "http.response.body", "body": block, "more_body": True})


async def _local_blocks(file: AsyncFileIO, blob: Blob, span: Span) -> AsyncIterator[bytes]:
    position, stop = span
    await file.seek(position)
    while position < stop:
        block = await file.read(min(BLOCK, stop - position))
        if not block:
            raise Unavailable(f"{blob.key} ends at byte {position}, before byte {stop}")
        position += len(block)
        yield block


class _Remote:
    """A blob that is no file here; `opened` are the reads that have begun, by span."""

    def __init__(self, blobs: Blobs, lane: Lane, blob: Blob, opened: dict[Span, Iterator[bytes]]) -> None:
        self._blobs = blobs
        self._lane = lane
        self._blob = blob
        self._opened = opened

    async def blocks(self, span: Span) -> AsyncIterator[bytes]:
        """Give a span's bytes."""
        blocks = self._opened.pop(span, None)
        if blocks is None:
            blocks = await self._lane.call(self._blobs.read, self._blob, *span)
        while block := await self._lane.call(next, blocks, b""):
            yield block


@asynccontextmanager
async def until_gone(receive: Receive) -> AsyncIterator[asyncio.Event]:
    """Watch for the client's going away while something is sent to it."""
    gone = asyncio.Event()

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        gone.set()

    watching = asyncio.create_task(watch())
    try:
        yield gone
    finally:
        watching.cancel()
        await asyncio.wait([watching])


def offers(scope: Scope, extension: str) -> bool:
    """Tell whether the server has an ASGI extension."""
    return extension in (scope.get("extensions") or {})


def check_size(path: Path, size: int) -> None:
    """See that a file is as long as its blob. Raises storage.errors.NotFound or Unavailable."""
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise NotFound(path.name) from None
    if found != size:
        raise Unavailable(f"{path.name} has {found} bytes, not {size}")


def _part_head(boundary: str, span: Span, size: int) -> bytes:
    start, stop = span
    lines = (
        f"\r\n--{boundary}",
        "content-type: application/octet-stream",
        f"content-range: bytes {start}-{stop - 1}/{size}",
        "\r\n",
    )
    return "\r\n".join(lines).encode()
