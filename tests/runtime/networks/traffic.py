"""Small servers and clients, in whichever namespace: who gets through to whom?"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.parts.netns import Namespace
from tests.runtime.networks.boxes import Box, Place

PATIENCE = 10.0
SHORT = 1.0
"""Seconds after which a connection that must not come about is taken for refused."""


@contextmanager
def answering(where: Box | Namespace, port: int, host: str = "0.0.0.0") -> Iterator[list[str]]:
    """A TCP and a UDP server that answer with who asked; yields the list of their clients' addresses."""
    tcp, udp = where.inside(lambda: _listening(host, port))
    seen: list[str] = []
    threads = [threading.Thread(target=work, args=(sock, seen)) for work, sock in ((_serve, tcp), (_echo, udp))]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        for sock in (tcp, udp):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in threads:
            thread.join()


def _listening(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    tcp = socket.create_server((host, port))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((host, port))
    udp.settimeout(0.2)
    return tcp, udp


def _serve(server: socket.socket, seen: list[str]) -> None:
    while True:
        try:
            client, address = server.accept()
        except OSError:
            return
        with client, suppress(OSError):
            seen.append(address[0])
            client.settimeout(PATIENCE)
            pieces = []
            while data := client.recv(65536):
                pieces.append(data)
            client.sendall(address[0].encode() + b" " + b"".join(pieces))


def _echo(server: socket.socket, seen: list[str]) -> None:
    while server.fileno() != -1:
        with suppress(TimeoutError):
            try:
                data, address = server.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            seen.append(address[0])
            server.sendto(address[0].encode() + b" " + data, address)


def ask(where: Box | Namespace, host: str, port: int, said: bytes = b"hello", patience: float = PATIENCE) -> str:
    """Say something by TCP, close our half, and return who answered us as what. Raises OSError."""

    def talk() -> str:
        with socket.create_connection((host, port), patience) as connection:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            pieces = []
            while data := connection.recv(65536):
                pieces.append(data)
        source, _, echoed = b"".join(pieces).partition(b" ")
        if echoed != said:
            raise ConnectionError(f"{len(echoed)} bytes of {len(said)} came back")
        return source.decode()

    return where.inside(talk)


def ask_udp(where: Box | Namespace, host: str, port: int, patience: float = PATIENCE) -> str:
    """The same by UDP, asked again each second. Raises OSError."""

    def talk() -> str:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((host, port))
            sock.settimeout(1.0)
            for _ in range(max(1, int(patience))):
                with suppress(TimeoutError, ConnectionRefusedError):
                    sock.send(b"hello")
                    return sock.recv(65536).partition(b" ")[0].decode()
        raise TimeoutError(f"nothing from {host}:{port}")

    return where.inside(talk)


def reaches(where: Box | Namespace, host: str, port: int) -> bool:
    """Whether a connection comes about, in a short time."""
    try:
        ask(where, host, port, patience=SHORT)
    except OSError:
        return False
    return True


def crafted(box: Box, place: Place, destination: str, port: int) -> None:
    """Send a TCP SYN and a UDP packet to the bridge's hardware address, whatever the destination: no route is asked."""
    gateway = place.networks.get("bridge")
    target = b"\x02\x4d" + gateway.gateway.packed
    source = place.address(box)

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            mac = raw.getsockname()[4]
            for protocol, payload in ((6, _syn(source, destination, port)), (17, _datagram(port))):
                packet = _ip(source, destination, protocol, payload)
                raw.send(target + mac + b"\x08\x00" + packet)

    box.inside(send)


def _ip(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(destination),
    )  # fmt: skip
    return head[:10] + _checksum(head) + head[12:] + payload


def _syn(source: str, destination: str, port: int) -> bytes:
    head = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 1024, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 6, len(head))
    return head[:16] + _checksum(pseudo + head) + head[18:]


def _datagram(port: int) -> bytes:
    return struct.pack("!HHHH", 40000, port, 8 + 6, 0) + b"crafty"


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
