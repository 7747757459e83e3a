"""Answers containers' DNS questions: names in their own networks from here, all else by the host's servers.

Who asks is told by the address that the question comes from. Containers that have internal networks only are told
nothing of the outside (moby's CVE-2024-29018). Knows no sockets of ours; source: RFC 1035, moby libnetwork/resolver.go.
"""

import asyncio
import secrets
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

import dnslib

TTL = 600
_LARGEST = 65_535
_UDP_WAIT, _TCP_WAIT = 3.0, 6.0
_AT_ONCE = 256
_PORT = 53


@dataclass(frozen=True, slots=True)
class Zone:
    """What one container may know. `names`: lower case; `outside`: whether others' servers are asked for the rest."""

    names: "dict[str, list[IPv4Address]]"
    outside: bool


class Resolver:
    """Answers questions. `zone`: what the container at an address may know, None where there is no such; `upstream`:
    the host's name servers, in order."""

    def __init__(self, zone: Callable[[str], Zone | None], upstream: Callable[[], Sequence[str]]) -> None:
        self._zone = zone
        self._upstream = upstream
        self._pending = 0

    async def answer(self, question: bytes, client: str, *, stream: bool) -> bytes | None:
        """Answer one message; None for what is no question. `stream`: it came by TCP, and may be long."""
        try:
            asked = dnslib.DNSRecord.parse(question)
        except (dnslib.DNSError, ValueError, IndexError, struct.error):
            return None
        if asked.header.qr or asked.header.opcode != 0 or len(asked.questions) != 1:
            return None
        zone = self._zone(client)
        if zone is None:
            return bytes(_refused(asked, dnslib.RCODE.REFUSED).pack())
        known = _known(asked, zone)
        if known is not None:
            return bytes(known.pack())
        if not zone.outside or self._pending >= _AT_ONCE:
            return bytes(_refused(asked, dnslib.RCODE.SERVFAIL).pack())
        self._pending += 1
        try:
            found = await self._forward(question, stream=stream)
        finally:
            self._pending -= 1
        return found or bytes(_refused(asked, dnslib.RCODE.SERVFAIL).pack())

    async def _forward(self, question: bytes, *, stream: bool) -> bytes | None:
        """Ask the host's servers, one after the other, under a number of our own."""
        number = secrets.token_bytes(2)
        for server in self._upstream():
            with suppress(OSError, TimeoutError, EOFError):
                ask = _by_stream if stream else _by_datagram
                found = await ask(server, number + question[2:])
                if found[:2] == number and len(found) >= 12:
                    return question[:2] + found[2:]
        return None


def _known(asked: dnslib.DNSRecord, zone: Zone) -> dnslib.DNSRecord | None:
    """Answer from the container's networks; None where they do not know the name."""
    name = str(asked.q.qname).rstrip(".").lower()
    if asked.q.qtype == dnslib.QTYPE.PTR:
        address = _of_pointer(name)
        found = [each for each, addresses in zone.names.items() if address is not None and address in addresses]
        if not found:
            return None
        reply = asked.reply()
        reply.add_answer(dnslib.RR(asked.q.qname, dnslib.QTYPE.PTR, rdata=dnslib.PTR(found[0]), ttl=TTL))
        return reply
    addresses = zone.names.get(name)
    if addresses is None:
        return None
    reply = asked.reply()
    if asked.q.qtype in {dnslib.QTYPE.A, dnslib.QTYPE.ANY}:
        start = secrets.randbelow(len(addresses))
        for address in addresses[start:] + addresses[:start]:
            reply.add_answer(dnslib.RR(asked.q.qname, dnslib.QTYPE.A, rdata=dnslib.A(str(address)), ttl=TTL))
    return reply  # of another type: the name is known, and has none


def _of_pointer(name: str) -> IPv4Address | None:
    labels = name.removesuffix(".in-addr.arpa").split(".")
    with suppress(ValueError):
        return IPv4Address(".".join(reversed(labels))) if name.endswith(".in-addr.arpa") else None
    return None


def _refused(asked: dnslib.DNSRecord, code: int) -> dnslib.DNSRecord:
    reply = asked.reply()
    reply.header.rcode = code
    return reply


async def _by_datagram(server: str, question: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Asking(waiting, question[:2]), remote_addr=(server, _PORT)
    )
    try:
        transport.sendto(question)
        return await asyncio.wait_for(waiting, _UDP_WAIT)
    finally:
        transport.close()


class _Asking(asyncio.DatagramProtocol):
    """Waits for the answer to one question; a packet under another number is somebody else's."""

    def __init__(self, waiting: "asyncio.Future[bytes]", number: bytes) -> None:
        self._waiting = waiting
        self._number = number

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take the answer."""
        if data[:2] == self._number and not self._waiting.done():
            self._waiting.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """The server does not listen."""
        if not self._waiting.done():
            self._waiting.set_exception(exc)


async def _by_stream(server: str, question: bytes) -> bytes:
    async with asyncio.timeout(_TCP_WAIT):
        reader, writer = await asyncio.open_connection(str(ip_address(server)), _PORT)
        try:
            writer.write(struct.pack("!H", len(question)) + question)
            await writer.drain()
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(size)
        finally:
            writer.close()
