"""Receiving the long body of an upload straight into the memory that is written and hashed.

On the parser's way every byte is copied four times before a thread sees it; libc's memmove was 18 % of a push. While a
body of known length is under way, this protocol takes the parser's place on the connection, and gives it back with the
last byte: it never asks for more than the rest of the body. Pieces are handed on as they arrive, so nothing waits here.
"""

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from registry.serving.http1 import GuardedHttp1

BLOCK = 2**20
LEAST = 256 * 1024
"""Bodies shorter than this stay with the parser; less room than this in a block starts the next one."""


class BodyReceiver(asyncio.BufferedProtocol):
    """Stands in for `owner` on a plain connection until its body is whole."""

    def __init__(self, owner: "GuardedHttp1", transport: Any) -> None:
        self._owner = owner
        self._transport = transport
        self._view = memoryview(bytearray(0))
        self._filled = 0
        self._switch(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give room for the next bytes: what is left of the block, but never for more than the body."""
        left = self._owner.body_left
        if len(self._view) - self._filled < min(LEAST, left):
            self._view = memoryview(bytearray(min(BLOCK, left)))
            self._filled = 0
        return self._view[self._filled : self._filled + left]

    def buffer_updated(self, count: int) -> None:
        """Hand on what came."""
        start, self._filled = self._filled, self._filled + count
        self._owner.on_body(self._view[start : self._filled])
        if not self._owner.body_left:
            self._switch(self._owner)
            self._owner.end_body()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the owner."""
        self._owner.connection_lost(error)

    def eof_received(self) -> None:
        """Tell the owner."""
        self._owner.eof_received()

    def pause_writing(self) -> None:
        """Tell the owner."""
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        """Tell the owner."""
        self._owner.resume_writing()

    def _switch(self, protocol: Any) -> None:
        """Change who receives; uvloop chooses its way of reading only when reading starts."""
        paused = self._owner.flow.read_paused
        if not paused:
            self._transport.pause_reading()
        self._transport.set_protocol(protocol)
        if not paused:
            self._transport.resume_reading()
