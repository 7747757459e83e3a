"""The host's sockets for published ports: they keep a port from being taken twice, and serve what rules cannot.

Packets from elsewhere are led to the container by the kernel before they come here. What is left for these sockets is
the host's own loopback and IPv6: carried over by this process, as Docker's proxy does, so that `route_localnet`, which
opens the host's loopback to containers, is never needed.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import cast

from runtime.networks.background import Background

_BLOCK = 256 * 1024
_BACKLOG = 512
_IDLE = 90.0
_CLIENTS = 1024
"""UDP clients that one port remembers."""

Key = tuple[str, str, int]


@dataclass(slots=True)
class _Door:
    """One port: bound, and once it leads somewhere also served."""

    sock: socket.socket
    server: asyncio.AbstractServer | None = None
    datagrams: asyncio.DatagramTransport | None = None
    live: set["asyncio.Task[None]"] = field(default_factory=set)


class HostDoors:
    """Every open port, by protocol, address and number. Not safe from several threads: its owner holds a lock."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._doors: dict[Key, _Door] = {}

    def open(self, protocol: str, host: str, port: int) -> None:
        """Take a port of the host; who connects now waits until `lead`. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        sock = socket.socket(family, kind | socket.SOCK_CLOEXEC)
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            if kind == socket.SOCK_STREAM:
                sock.listen(_BACKLOG)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        self._doors[protocol, host, port] = _Door(sock)

    def lead(self, key: Key, address: IPv4Address, port: int) -> None:
        """Carry what comes in on an open port to a container's; harmless where the port is not open."""
        if (door := self._doors.get(key)) is not None:
            self._background.run(_serve(door, key[0], (str(address), port)))

    def close(self, protocol: str, host: str, port: int) -> None:
        """Close a port, and every connection through it; harmless where it is not open."""
        if (door := self._doors.pop((protocol, host, port), None)) is not None:
            self._background.run(_end(door))

    def close_all(self) -> None:
        """Close every port."""
        for key in tuple(self._doors):
            self.close(*key)


async def _serve(door: _Door, protocol: str, target: tuple[str, int]) -> None:
    if door.server is not None or door.datagrams is not None:
        return
    if protocol == "udp":
        loop = asyncio.get_running_loop()
        door.datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(target), sock=door.sock)
        return

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        door.live.add(task)
        try:
            await _carry(reader, writer, target)
        finally:
            door.live.discard(task)

    door.server = await asyncio.start_server(carry, sock=door.sock, limit=_BLOCK)


async def _end(door: _Door) -> None:
    if door.server is not None:
        door.server.close()
    if door.datagrams is not None:
        door.datagrams.abort()
    for task in tuple(door.live):
        task.cancel()
    await asyncio.gather(*door.live, return_exceptions=True)
    await asyncio.sleep(0)  # the loop closes what it holds in its next turn
    door.sock.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: tuple[str, int]) -> None:
    with closing(writer), suppress(OSError, asyncio.CancelledError):
        onward_reader, onward = await asyncio.open_connection(*target, limit=_BLOCK)
        with closing(onward):
            await asyncio.gather(_copy(reader, onward), _copy(onward_reader, writer))


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy to the end, and say that it is the end: half-closed connections are carried as such."""
    while data := await source.read(_BLOCK):
        sink.write(data)
        await sink.drain()
    with suppress(OSError):
        sink.write_eof()


class _Datagrams(asyncio.DatagramProtocol):
    """A UDP port: each client gets a socket of its own towards the container until it has been silent for a while."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._front: asyncio.DatagramTransport | None = None
        self._clients: dict[tuple[str, int], _Client] = {}
        self._opening: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._front = cast(asyncio.DatagramTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close every client's socket."""
        for client in tuple(self._clients.values()):
            client.end()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hand a packet on; a client too many is not served."""
        if (client := self._clients.get(addr)) is not None:
            client.send(data)
        elif len(self._clients) < _CLIENTS and self._front is not None:
            client = self._clients[addr] = _Client(self._front, addr, lambda: self._clients.pop(addr, None))
            client.send(data)
            task = asyncio.get_running_loop().create_task(client.connect(self._target))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)


class _Client(asyncio.DatagramProtocol):
    """One client's own socket."""

    def __init__(self, front: asyncio.DatagramTransport, client: tuple[str, int], forget: Callable[[], object]) -> None:
        self._front = front
        self._address = client
        self._forget = forget
        self._waiting: list[bytes] = []
        self._onward: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def connect(self, target: tuple[str, int]) -> None:
        """Open the way to the container, and send what has waited."""
        loop = asyncio.get_running_loop()
        try:
            self._onward, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=target)
        except OSError:
            self.end()
            return
        for data in self._waiting:
            self._onward.sendto(data)
        self._waiting.clear()
        self._rest()

    def send(self, data: bytes) -> None:
        """To the container."""
        if self._onward is not None:
            self._onward.sendto(data)
            self._rest()
        elif len(self._waiting) < 16:
            self._waiting.append(data)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Back to the client."""
        self._front.sendto(data, self._address)
        self._rest()

    def end(self) -> None:
        """Close, and be forgotten."""
        if self._timer is not None:
            self._timer.cancel()
        if self._onward is not None:
            self._onward.abort()
        self._forget()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_IDLE, self.end)
