"""Name servers on the gateways of bridges, over UDP and TCP. What is answered is the `Resolver`'s."""

import asyncio
import socket
import struct
from contextlib import closing, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import cast

from runtime.networks.background import Background
from runtime.networks.resolver import Resolver

_PORT = 53
_SILENT = 10.0
_CONNECTIONS = 64
_TASKS = 512
"""Questions at work at a time; more are not answered, and their askers ask again."""


@dataclass(slots=True)
class _Place:
    """One gateway's sockets."""

    datagrams: asyncio.DatagramTransport
    server: asyncio.AbstractServer


class DnsServer:
    """Every gateway that is listened on."""

    def __init__(self, background: Background, resolver: Resolver) -> None:
        self._background = background
        self._resolver = resolver
        self._places: dict[IPv4Address, _Place] = {}

    def listen(self, gateway: IPv4Address) -> None:
        """Answer at an address of the host's; once is enough. Raises OSError where something else does."""
        if gateway in self._places:
            return
        udp, tcp = _bound(gateway)
        self._places[gateway] = self._background.run(_start(self._resolver, udp, tcp))

    def leave(self, gateway: IPv4Address) -> None:
        """Answer there no more; harmless where nothing did."""
        if (place := self._places.pop(gateway, None)) is not None:
            self._background.run(_stop(place))

    def close(self) -> None:
        """Answer nowhere any more."""
        for gateway in tuple(self._places):
            self.leave(gateway)


def _bound(gateway: IPv4Address) -> tuple[socket.socket, socket.socket]:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for each in (udp, tcp):
            each.setblocking(False)
            each.bind((str(gateway), _PORT))
        tcp.listen(_CONNECTIONS)
    except OSError:
        udp.close()
        tcp.close()
        raise
    return udp, tcp


async def _start(resolver: Resolver, udp: socket.socket, tcp: socket.socket) -> _Place:
    loop = asyncio.get_running_loop()
    datagrams, _ = await loop.create_datagram_endpoint(lambda: _Questions(resolver), sock=udp)
    return _Place(datagrams, await asyncio.start_server(_Conversations(resolver), sock=tcp))


async def _stop(place: _Place) -> None:
    place.datagrams.close()
    place.server.close()
    await asyncio.sleep(0)  # the loop closes the sockets in its next turn


class _Questions(asyncio.DatagramProtocol):
    """Questions by UDP, a task each."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Work on a question."""
        if len(self._tasks) < _TASKS:
            task = asyncio.get_running_loop().create_task(self._answer(data, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = await self._resolver.answer(data, addr[0], stream=False)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


class _Conversations:
    """Questions by TCP: several on one connection, each with its length before it."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._live = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the client ends, is silent, or asks what is no question."""
        self._live += 1
        try:
            with closing(writer), suppress(OSError, EOFError, TimeoutError):
                while self._live <= _CONNECTIONS and await self._turn(reader, writer):
                    pass
        finally:
            self._live -= 1

    async def _turn(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(_SILENT):
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            question = await reader.readexactly(size)
        answer = await self._resolver.answer(question, writer.get_extra_info("peername")[0], stream=True)
        if answer is None:
            return False
        writer.write(struct.pack("!H", len(answer)) + answer)
        await writer.drain()
        return True
