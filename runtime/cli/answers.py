"""What the daemon sends back: an answer's body as it comes, and connections that are no HTTP any more.

Knows nothing of requests and what answers mean. Source: RFC 9112, section 6 and 7 (bodies, chunks).
"""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import BufferedReader
from typing import Any

BLOCK = 1 << 16
HEADER_LIMIT = 1 << 16


class Broken(Exception):
    """The daemon went away in the middle of an answer, or what it sent is no HTTP."""


class Answer:
    """One answer: status and headers are there, the body is read as it comes. Close it, or read it to its end."""

    def __init__(
        self, reader: BufferedReader, status: int, headers: Mapping[str, str], ended: Callable[[bool], None]
    ) -> None:
        self.status = status
        self.headers = headers
        self._reader = reader
        self._ended = ended
        self._over = False

    def bodiless(self) -> None:
        """Say that no body follows, as after HEAD: the connection is free at once."""
        self._over = True
        self._ended(self.headers.get("connection", "").lower() != "close")

    def blocks(self) -> Iterator[bytes]:
        """The body's bytes, in pieces as they arrive. Raises: Broken when it ends too early."""
        if self._over:
            return
        self._over = True
        reusable = False
        try:
            if self.status in {204, 304}:
                reusable = True
            elif self.headers.get("transfer-encoding", "").lower() == "chunked":
                yield from self._chunks()
                reusable = True
            elif "content-length" in self.headers:
                yield from self._counted(int(self.headers["content-length"]))
                reusable = True
            else:
                yield from iter(lambda: self._some(BLOCK), b"")
        finally:
            self._ended(reusable and self.headers.get("connection", "").lower() != "close")

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.blocks())

    def json(self) -> Any:
        """The whole body as JSON; None where there is none. Raises: Broken."""
        body = self.read()
        try:
            return json.loads(body) if body.strip() else None
        except ValueError:
            raise Broken(f"the daemon's answer is no JSON: {body[:80]!r}") from None

    def documents(self) -> Iterator[dict[str, Any]]:
        """The JSON documents of a streamed answer, one a line, as they arrive."""
        rest = b""
        for block in self.blocks():
            *lines, rest = (rest + block).split(b"\n")
            yield from (json.loads(line) for line in lines if line.strip())
        if rest.strip():
            yield json.loads(rest)

    def framed(self) -> "Framed":
        """The body as a stream to read exact sizes from."""
        return Framed(self.blocks())

    def close(self) -> None:
        """Leave the rest of the answer: the daemon sees its client go."""
        if not self._over:
            self._over = True
            self._ended(False)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().partition(b";")[0] or b"0", 16):
            yield from self._counted(size)
            self._line()
        while self._line():
            pass

    def _counted(self, size: int) -> Iterator[bytes]:
        while size:
            block = self._some(min(size, BLOCK))
            if not block:
                raise Broken("the daemon went away in the middle of an answer")
            size -= len(block)
            yield block

    def _some(self, limit: int) -> bytes:
        try:
            return self._reader.read1(limit)
        except ConnectionError as error:
            raise Broken(f"the daemon went away: {error}") from error

    def _line(self) -> bytes:
        line = self._reader.readline(HEADER_LIMIT)
        if not line:
            raise Broken("the daemon went away in the middle of an answer")
        return line.strip()


class Framed:
    """An answer's body read by size, as frames need it."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held = b""

    def read(self, limit: int = BLOCK) -> bytes:
        """Whatever is there, up to `limit` bytes; b"" at the end."""
        if not self._held:
            self._held = next(self._blocks, b"")
        found, self._held = self._held[:limit], self._held[limit:]
        return found

    def exactly(self, size: int) -> bytes:
        """That many bytes, or fewer at the end."""
        found = b""
        while len(found) < size and (block := self.read(size - len(found))):
            found += block
        return found


class Hijacked:
    """A connection that is no HTTP any more: what the container writes comes in, what it reads goes out."""

    def __init__(self, connection: socket.socket, reader: BufferedReader) -> None:
        self._connection = connection
        self._reader = reader

    def read(self, limit: int = BLOCK) -> bytes:
        """Whatever is there, up to `limit` bytes; b"" when the other side has ended."""
        try:
            return self._reader.read1(limit)
        except ConnectionError:
            return b""

    def exactly(self, size: int) -> bytes:
        """That many bytes, or fewer at the stream's end; a reset is one: the daemon left unread what we had sent."""
        found = b""
        while len(found) < size and (block := self.read(size - len(found))):
            found += block
        return found

    def write(self, data: bytes) -> None:
        """Send all of it. Raises: OSError when the other side has gone."""
        self._connection.sendall(data)

    def write_eof(self) -> None:
        """Say that nothing more will be written; reading goes on."""
        with suppress(OSError):  # it has gone already
            self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Give the connection up, also under a thread that reads or writes it."""
        with suppress(OSError):  # it has gone already
            self._connection.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._connection.close()
