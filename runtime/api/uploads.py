"""A request's body as a file that a service reads in its thread: archives of images, files and build contexts.

Nothing is kept: the thread waits for the client, and the client for the thread. Knows nothing of what is sent.
"""

import asyncio

from starlette.types import Receive

from runtime.api.call import Call, ClientGone


class Upload:
    """The body, as far as a service needs a file: `read`. Made on the loop, read in one thread, never on the loop's."""

    def __init__(self, call: Call) -> None:
        self._receive: Receive = call.receive
        self._loop = asyncio.get_running_loop()
        self._kept = b""
        self._whole = False

    def read(self, size: int = -1) -> bytes:
        """Read exactly `size` bytes, or all; fewer only at the body's end. Raises ClientGone."""
        pieces: list[bytes] = []
        missing = size
        while missing != 0:
            piece = self.read1(missing)
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece) if size >= 0 else 0
        return b"".join(pieces)

    def read1(self, size: int = -1) -> bytes:
        """Read what is there, at least one byte and at most `size`; nothing at the body's end. Raises ClientGone."""
        while not self._kept and not self._whole:
            self._kept = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
        data = self._kept if size < 0 else self._kept[:size]
        self._kept = self._kept[len(data) :]
        return data

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._whole = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body
