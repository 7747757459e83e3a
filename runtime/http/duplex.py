"""A client's connection as two independent streams of bytes: one may end, or stand still, while the other goes on.

Plain non-blocking socket calls and no asyncio transport: a transport takes a half-close for the end, loses what was
sent before a reset, and cannot tell a client that is done sending from one that is gone. Knows nothing of HTTP.
"""

import asyncio
import select
import socket
from collections.abc import Callable
from contextlib import suppress

BLOCK = 256 * 1024
"""Bytes read or written before others on the loop have their turn."""


class Hangups:
    """Tells when the other end of a connection is gone for good.

    epoll(7) reports EPOLLHUP even where nothing is asked for: on a unix socket, once both directions are shut, thus not
    for a mere half-close. asyncio's own selector cannot ask for that alone.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._told: dict[int, Callable[[], None]] = {}
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._tell)

    def watch(self, fd: int, told: Callable[[], None]) -> None:
        """Call `told` once when `fd` hangs up."""
        self._told[fd] = told
        self._epoll.register(fd, 0)

    def forget(self, fd: int) -> None:
        """Watch no more; does nothing where `told` was called already. To be called before `fd` is closed."""
        if self._told.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def close(self) -> None:
        """Watch nothing any more."""
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _tell(self) -> None:
        for fd, _ in self._epoll.poll(0):
            told = self._told.get(fd)
            self.forget(fd)
            if told is not None:
                told()


class Duplex:
    """One connection. Each direction is for one task at a time."""

    def __init__(self, connection: socket.socket, hangups: Hangups) -> None:
        self._socket = connection
        self._hangups = hangups
        self._kept = b""
        self._ended = asyncio.Event()
        self._gone = asyncio.Event()
        self._closed = False
        self._waiters: set[asyncio.Future[None]] = set()
        hangups.watch(connection.fileno(), self._gone.set)

    async def read(self, limit: int = BLOCK) -> bytes:
        """Read at most `limit` bytes; nothing, once the client sends no more or is gone."""
        if self._kept:
            data, self._kept = self._kept[:limit], self._kept[limit:]
            return data
        await asyncio.sleep(0)
        while not self._closed:
            try:
                data = self._socket.recv(limit)
            except BlockingIOError:
                await self._ready(asyncio.get_running_loop().add_reader)
            except OSError:
                break
            else:
                if data:
                    return data
                break
        self._ended.set()
        return b""

    def unread(self, data: bytes) -> None:
        """Give back bytes: the next `read` returns them first."""
        self._kept = data + self._kept

    async def write(self, data: bytes | memoryview) -> None:
        """Write all, at the client's pace. Raises ConnectionError when the client is gone."""
        view = memoryview(data)
        while view:
            if self._closed:
                raise ConnectionResetError("the connection is closed")
            try:
                view = view[self._socket.send(view[:BLOCK]) :]
            except BlockingIOError:
                await self._ready(asyncio.get_running_loop().add_writer)
            except OSError as error:
                self._gone.set()
                raise ConnectionResetError(str(error)) from error
            else:
                await asyncio.sleep(0)

    async def write_eof(self) -> None:
        """Tell the client that nothing more comes; it may go on sending."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        """End both directions; harmless when done twice. Whoever waits to read or to write is woken."""
        if self._closed:
            return
        self._closed = True
        self._gone.set()
        self._ended.set()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        for waiter in self._waiters:
            _resolve(waiter)
        self._hangups.forget(self._socket.fileno())
        self._socket.close()

    async def gone(self) -> None:
        """Wait until the client has left for good, or the connection was closed here."""
        await self._gone.wait()

    async def closed(self) -> None:
        """Wait until the client has left for good and all that it sent before was read."""
        await self._gone.wait()
        await self._ended.wait()

    @property
    def left(self) -> bool:
        """Whether the client has left for good."""
        return self._gone.is_set()

    async def _ready(self, add: Callable[..., None]) -> None:
        """Wait until the socket can be read, or written; a cancelled wait loses no byte."""
        loop = asyncio.get_running_loop()
        remove = loop.remove_reader if add == loop.add_reader else loop.remove_writer
        ready: asyncio.Future[None] = loop.create_future()
        add(self._socket, _resolve, ready)
        self._waiters.add(ready)
        try:
            await ready
        finally:
            self._waiters.discard(ready)
            if not self._closed:
                remove(self._socket)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
