"""An ASGI application on the engine's own server, in a thread, and a client that writes bytes as it likes."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.http.server import Server

WITHIN = 30.0


@dataclass
class Serving:
    """A server at work."""

    path: Path
    loop: asyncio.AbstractEventLoop
    stopping: asyncio.Event
    thread: threading.Thread

    def connect(self) -> Raw:
        """Open a connection."""
        return Raw(self.path)

    def ask(self, request: bytes) -> bytes:
        """Send bytes on a connection of their own, say that no more come, and read to the end."""
        with self.connect() as client:
            client.send(request)
            client.half_close()
            return client.rest()

    def stop(self) -> None:
        """Tell the server to stop, and wait until it has."""
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(WITHIN)
        assert not self.thread.is_alive()


class Raw:
    """A connection whose every byte the test chooses."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WITHIN)
        self.socket.connect(str(path))
        self._kept = b""

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all."""
        self.socket.sendall(data)

    def half_close(self) -> None:
        """Send no more, and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def until(self, end: bytes) -> bytes:
        """Read up to and with `end`."""
        while end not in self._kept:
            data = self.socket.recv(65536)
            assert data, f"the connection ended after {self._kept!r}"
            self._kept += data
        found, mark, self._kept = self._kept.partition(end)
        return found + mark

    def rest(self) -> bytes:
        """Read to the end."""
        pieces = [self._kept]
        self._kept = b""
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                break
            if not data:
                break
            pieces.append(data)
        return b"".join(pieces)


@contextmanager
def serving(app: Any, *, grace: float = 5.0) -> Iterator[Serving]:
    """Serve `app` on a unix socket until the block ends."""
    directory = Path(tempfile.mkdtemp(prefix="moor-", dir="/tmp"))  # short, for the socket's sake
    ready = threading.Event()
    made: list[Serving] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "s"))
        listener.listen(1024)

        async def main() -> None:
            stopping = asyncio.Event()
            made.append(Serving(directory / "s", asyncio.get_running_loop(), stopping, thread))
            ready.set()
            await Server(app, listener).serve(stopping, grace)

        thread = threading.Thread(target=lambda: asyncio.run(main()))
        thread.start()
        assert ready.wait(WITHIN)
        try:
            yield made[0]
        finally:
            if thread.is_alive():
                made[0].stop()
            shutil.rmtree(directory, ignore_errors=True)
