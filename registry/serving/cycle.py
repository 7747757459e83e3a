"""One request and its answer on uvicorn: the pinned part that differs from uvicorn's own cycle.

It hands bodies over without copying them together chunk by chunk, offers `http.response.pathsend` and
`http.response.zerocopysend` (ASGI extensions) by sendfile(2), and answers a crash of the application in OCI JSON.
"""

import asyncio
import os
from collections import deque
from concurrent.futures import Executor
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from registry.oci.errors import ErrorCode, RegistryError
from registry.serving.files import ConnectionGone, open_whole, send_file

HIGH_WATER = 512 * 1024
"""Bytes of a body that are held before the client is made to wait."""

FILE_EXTENSIONS: dict[str, dict[str, object]] = {"http.response.pathsend": {}, "http.response.zerocopysend": {}}
_CRASHED = orjson.dumps(RegistryError(ErrorCode.UNKNOWN).body())


JOIN_BELOW = 64 * 1024
"""A body smaller than this is copied behind the head, so that both leave in one packet and one system call."""


class Corked:
    """A transport that holds an answer's head back until it knows what follows."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._corked = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def cork(self) -> None:
        """Hold back what is written next."""
        self._corked = True

    def flush(self) -> None:
        """Send what was held back."""
        head, self._head, self._corked = self._head, None, False
        if head is not None:
            self._transport.write(head)

    def write(self, data: bytes) -> None:
        """Send bytes, behind a head that was held back."""
        if self._corked:
            self._head, self._corked = data, False
            return
        head, self._head = self._head, None
        if head is not None and len(data) < JOIN_BELOW:
            self._transport.write(head + data)
            return
        if head is not None:
            self._transport.write(head)
        self._transport.write(data)


class Cycle(RequestResponseCycle):
    """A request being answered."""

    file_pool: Executor

    def __init__(self, *, file_pool: Executor, **given: Any) -> None:
        super().__init__(**given)
        self.transport: Any = Corked(self.transport)
        self.file_pool = file_pool
        self.file_bytes = 0
        self.held = 0
        self._chunks: deque[bytes | memoryview] = deque()

    def add_body(self, chunk: bytes | memoryview) -> bool:
        """Take a piece of the body. Returns whether the client should wait."""
        self._chunks.append(chunk)
        self.held += len(chunk)
        self.message_event.set()
        return self.held > HIGH_WATER

    async def receive(self) -> Any:
        """Give the next piece of the body, or say that the client is gone."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self._chunks and not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.response_complete or (self.disconnected and not self._chunks):
            return {"type": "http.disconnect"}
        # Piece by piece: to join them would copy every byte of every upload once more.
        body = self._chunks.popleft() if self._chunks else b""
        self.held -= len(body)
        if self.held <= HIGH_WATER and not self.disconnected:
            self.flow.resume_reading()
        return {"type": "http.request", "body": body, "more_body": self.more_body or bool(self._chunks)}

    async def send(self, message: Any) -> None:
        """Send a part of the answer."""
        kind = message["type"]
        if kind == "http.response.zerocopysend":
            await self._send_descriptor(message)
        elif kind == "http.response.pathsend":
            await self._send_path(message["path"])
        elif kind == "http.response.start":
            self.transport.cork()
            await super().send(message)
        else:
            if self.scope["method"] == "HEAD" or not message.get("body"):
                self.transport.flush()
            await super().send(message)

    async def _send_path(self, path: str) -> None:
        if self.scope["method"] == "HEAD" or self.disconnected:
            self.transport.flush()
            await super().send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        loop = asyncio.get_running_loop()
        descriptor, size = await loop.run_in_executor(self.file_pool, open_whole, path)
        try:
            await self._send_bytes_of(descriptor, 0, size, more=False)
        finally:
            os.close(descriptor)

    async def _send_descriptor(self, message: Any) -> None:
        """Send a part of an open file; without an offset from its position on, without a count to its end."""
        descriptor = message["file"] if isinstance(message["file"], int) else message["file"].fileno()
        offset = message.get("offset")
        if offset is None:
            offset = os.lseek(descriptor, 0, os.SEEK_CUR)
        count = message.get("count")
        if count is None:
            count = os.fstat(descriptor).st_size - offset
        await self._send_bytes_of(descriptor, offset, count, more=message.get("more_body", False))

    async def _send_bytes_of(self, descriptor: int, offset: int, count: int, *, more: bool) -> None:
        if not self.response_started or self.response_complete:
            raise RuntimeError("a file can only be sent between an answer's start and its end")
        if self.chunked_encoding:
            raise RuntimeError("a file can only be sent in an answer with a Content-Length")
        self.transport.flush()
        if self.scope["method"] != "HEAD" and not self.disconnected:
            if count > self.expected_content_length:
                raise RuntimeError("Response content longer than Content-Length")
            try:
                await send_file(
                    descriptor,
                    offset,
                    count,
                    transport=self.transport,
                    pool=self.file_pool,
                    gone=self._gone,
                    sent=self._note_sent,
                )
            except ConnectionGone:
                self.transport.abort()
                self.disconnected = True
                return
            self.expected_content_length -= count
        await super().send({"type": "http.response.body", "body": b"", "more_body": more})

    def _gone(self) -> bool:
        return self.disconnected or self.transport.is_closing()

    def _note_sent(self, count: int) -> None:
        self.file_bytes += count

    async def send_500_response(self) -> None:
        """Answer for an application that raised before it answered."""
        length = str(len(_CRASHED)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length), (b"connection", b"close")]
        await super().send({"type": "http.response.start", "status": 500, "headers": headers})
        await super().send({"type": "http.response.body", "body": _CRASHED, "more_body": False})
