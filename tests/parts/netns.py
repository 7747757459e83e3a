"""A network namespace of the test's own: the engine makes bridges and rules in it, and the real machine sees none.

Its loopback is up. A server of the test's own namespace is let in at the same loopback port (`let_in`), so that a
registry and its clients may live on either side.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.parts.commands import run
from tests.parts.tools import require, require_root

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Namespace:
    """A live namespace; the one that the process is in, where it has no name."""

    name: str = ""

    @property
    def path(self) -> Path:
        """The file that names it."""
        return Path("/run/netns") / self.name if self.name else Path("/proc/self/ns/net")

    @property
    def launcher(self) -> tuple[str, ...]:
        """What stands before a command that is to run there."""
        return (require("nsenter"), f"--net={self.path}", "--") if self.name else ()

    def __call__(self, *command: str | Path, stdin: str = "") -> str:
        """Run a command there."""
        return run(*self.launcher, *command, stdin=stdin)

    def inside(self, action: Callable[[], T]) -> T:
        """Run a function on a thread that is in the namespace; a socket that it makes stays there."""
        results: list[T] = []
        errors: list[BaseException] = []

        def enter() -> None:
            try:
                _set_namespace(self.path)
                results.append(action())
            except BaseException as error:  # handed to the caller's thread
                errors.append(error)

        thread = threading.Thread(target=enter)  # the thread ends in the namespace; no other is ever in it
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def connect(self, port: int, host: str = "127.0.0.1", timeout: float = 10.0) -> socket.socket:
        """A connection made from inside. Raises OSError."""
        return self.inside(lambda: socket.create_connection((host, port), timeout))

    @contextmanager
    def let_in(self, port: int) -> Iterator[None]:
        """Inside, 127.0.0.1:`port` is the server of the test's own namespace at that port, until the end."""
        listening = self.inside(lambda: socket.create_server(("127.0.0.1", port), backlog=256))
        loop = asyncio.new_event_loop()
        relay = Relay(port)
        thread = threading.Thread(target=loop.run_until_complete, args=(relay.serve(listening),))
        thread.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(relay.over.set)
            thread.join()
            loop.close()


class Relay:
    """Hands every connection of a listening socket on to a port of this namespace's loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._live: set[asyncio.Task[None]] = set()
        self.over = asyncio.Event()

    async def serve(self, listening: socket.socket) -> None:
        """Relay until `over` is set; then close everything."""
        server = await asyncio.start_server(self._relay, sock=listening)
        async with server:
            await self.over.wait()
            for task in self._live:
                task.cancel()
            await asyncio.gather(*self._live, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._live.add(task)
        with suppress(OSError, asyncio.CancelledError), closing(writer):
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._port)
            with closing(onward):
                await asyncio.gather(_copy(reader, onward), _copy(onward_reader, writer))
        self._live.discard(task)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(BLOCK):
        sink.write(data)
        await sink.drain()
    sink.write_eof()


@contextmanager
def new_namespace() -> Iterator[Namespace]:
    """A namespace with nothing but a loopback that is up, gone at the end."""
    require_root()
    ip = require("ip")
    namespace = Namespace(f"moor-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    run(ip, "netns", "add", namespace.name)
    try:
        run(ip, "-n", namespace.name, "link", "set", "lo", "up")
        yield namespace
    finally:
        run(ip, "netns", "delete", namespace.name)


def _set_namespace(path: Path) -> None:
    """setns(2); Python has it from 3.12 on."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns", str(path))
    finally:
        os.close(fd)
