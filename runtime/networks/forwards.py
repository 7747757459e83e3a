"""Published ports of an engine without root: slirp4netns listens on the machine, and hands on into our namespace.

There they come in at our own address, whichever address of the machine they were sent to, so that a door inside stands
open for all of them. slirp4netns outlives a daemon, and takes IPv4 alone. One request a connection on its socket, JSON
both ways. Source: slirp4netns(1), "API socket".
"""

import errno
import json
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from runtime.errors import EngineError
from runtime.networks.doors import HostDoors, Key

_WITHIN = 10.0
_ANSWER_LIMIT = 2**20
_ALL = "0.0.0.0"  # noqa: S104  # what Docker publishes on where no address is given


class ForwardRefused(EngineError):
    """slirp4netns does not publish a port: it is taken, or an ordinary user may not have it."""


@dataclass(frozen=True, slots=True)
class Forward:
    """A port of the machine. `id` is slirp4netns's own number of it."""

    id: int
    protocol: str
    address: str
    port: int


class Forwards:
    """The ports that slirp4netns publishes for us. `socket_path`: where it takes orders; `guest`: our own address."""

    def __init__(self, socket_path: Path, guest: str) -> None:
        self._socket = socket_path
        self._guest = guest

    def open(self, protocol: str, address: str, port: int) -> Forward:
        """Publish a port of the machine, which leads to the same port of our namespace. Raises ForwardRefused."""
        address = address or _ALL
        wanted = {
            "proto": protocol,
            "host_addr": address,
            "host_port": port,
            "guest_addr": self._guest,
            "guest_port": port,
        }
        return Forward(int(self._ask("add_hostfwd", wanted)["id"]), protocol, address, port)

    def close(self, forward: Forward) -> None:
        """Stop publishing a port; harmless where it is not published. Raises ForwardRefused."""
        if forward in self.all():
            self._ask("remove_hostfwd", {"id": forward.id})

    def all(self) -> list[Forward]:
        """List what is published. Raises ForwardRefused."""
        entries = self._ask("list_hostfwd", None)["entries"]
        return [Forward(int(e["id"]), e["proto"], str(e["host_addr"]), int(e["host_port"])) for e in entries]

    def _ask(self, execute: str, arguments: dict[str, Any] | None) -> dict[str, Any]:
        request = {"execute": execute} | ({"arguments": arguments} if arguments is not None else {})
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_WITHIN)
                connection.connect(str(self._socket))
                connection.sendall(json.dumps(request).encode())
                connection.shutdown(socket.SHUT_WR)
                answer = json.loads(_all(connection))
        except (OSError, ValueError) as error:
            raise ForwardRefused(f"slirp4netns does not answer on {self._socket}: {error}") from error
        if "error" in answer:
            raise ForwardRefused(str(answer["error"].get("desc", answer["error"])))
        found = answer.get("return", answer)  # a list comes bare
        return found if isinstance(found, dict) else {}


class ForwardedDoors:
    """The doors of an engine without root (`ports.Doors`): one inside, and slirp4netns's on the machine.

    What a daemon before had published is taken back first; whoever recovers opens it again.
    """

    def __init__(self, inside: HostDoors, forwards: Forwards) -> None:
        self._inside = inside
        self._forwards = forwards
        self._open: dict[Key, Forward] = {}
        for forward in forwards.all():
            forwards.close(forward)

    def open(self, protocol: str, host: str, port: int) -> None:
        """Take a port of the machine. Raises OSError where it is taken, or the address is IPv6."""
        if ":" in host:
            raise OSError(errno.EAFNOSUPPORT, "slirp4netns publishes on IPv4 addresses only")
        self._inside.open(protocol, _ALL, port)
        try:
            self._open[protocol, host, port] = self._forwards.open(protocol, host, port)
        except ForwardRefused as error:
            self._inside.close(protocol, _ALL, port)
            raise OSError(errno.EADDRINUSE, str(error)) from error

    def lead(self, key: Key, address: IPv4Address, port: int) -> None:
        """Carry what comes in on an open port to a container's; harmless where the port is not open."""
        if key in self._open:
            self._inside.lead((key[0], _ALL, key[2]), address, port)

    def close(self, protocol: str, host: str, port: int) -> None:
        """Give a port back; harmless where it is not open."""
        forward = self._open.pop((protocol, host, port), None)
        if forward is not None:
            self._inside.close(protocol, _ALL, port)
            self._forwards.close(forward)

    def close_all(self) -> None:
        """The daemon ends: what slirp4netns publishes stays, and is led on by rules."""
        self._inside.close_all()


def _all(connection: socket.socket) -> bytes:
    """Read to the end of an answer."""
    pieces: list[bytes] = []
    while (piece := connection.recv(65536)) and sum(map(len, pieces)) < _ANSWER_LIMIT:
        pieces.append(piece)
    return b"".join(pieces)
