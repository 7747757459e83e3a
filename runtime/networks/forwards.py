"""Published ports of an engine without root: slirp4netns listens on the machine, and hands on into our namespace.

One request a connection on slirp4netns's socket, JSON both ways (slirp4netns(1), "API socket"). Inside, our rules take
the packets from there, as they do for an engine of root's.
"""

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.errors import EngineError

_WITHIN = 10.0
_ANSWER_LIMIT = 2**20

Protocol = Literal["tcp", "udp"]


class ForwardRefused(EngineError):
    """slirp4netns does not publish a port: it is taken, or an ordinary user may not have it."""


@dataclass(frozen=True, slots=True)
class Forward:
    """A port of the machine. `id` is slirp4netns's own number of it."""

    id: int
    protocol: Protocol
    address: str
    port: int


class Forwards:
    """The ports that slirp4netns publishes for us. `socket_path`: where it takes orders; `guest`: our own address."""

    def __init__(self, socket_path: Path, guest: str) -> None:
        self._socket = socket_path
        self._guest = guest

    def open(self, protocol: Protocol, address: str, port: int) -> Forward:
        """Publish a port of the machine, which leads to the same port of our namespace. Raises ForwardRefused."""
        address = address or "0.0.0.0"  # noqa: S104  # what Docker publishes on where no address is given
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


def _all(connection: socket.socket) -> bytes:
    """Read to the end of an answer."""
    pieces: list[bytes] = []
    while (piece := connection.recv(65536)) and sum(map(len, pieces)) < _ANSWER_LIMIT:
        pieces.append(piece)
    return b"".join(pieces)
