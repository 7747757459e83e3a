"""Links, addresses and routes by rtnetlink: one socket, a message each, its answer awaited. Knows no container.

A start of `ip` costs more than all messages of a container together (4 ms against 0.1 ms), so the kernel is spoken to
directly. Sources: rtnetlink(7), netlink(7), linux/if_link.h, linux/rtnetlink.h.
"""

import os
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface
from types import TracebackType
from typing import Self

UP = 1  # IFF_UP

_NEWLINK, _DELLINK, _SETLINK, _NEWADDR, _NEWROUTE, _DELROUTE = 16, 17, 19, 20, 24, 25
_REQUEST, _ACK, _REPLACE, _EXCL, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_ERROR = 2
_NESTED = 0x8000

_ADDRESS, _IFNAME, _MTU, _MASTER, _PROTINFO, _LINKINFO, _NET_NS_FD = 1, 3, 4, 10, 12, 18, 28
_INFO_KIND, _INFO_DATA = 1, 2
_VETH_PEER, _HAIRPIN = 1, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_RTA_OIF, _RTA_GATEWAY = 4, 5
_TABLE_MAIN, _BOOT, _UNIVERSE, _LINK_SCOPE, _UNICAST = 254, 3, 0, 253, 1
_ANSWER = 65536


class Netlink:
    """A socket in the network namespace of the thread that makes it; it stays there, whichever thread uses it.

    Every method raises OSError with the kernel's number, and the name of what it was about.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.settimeout(10.0)
        self._sequence = 0

    def __enter__(self) -> Self:
        """Close at the block's end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self._socket.close()

    def make_bridge(self, name: str, mac: bytes, mtu: int) -> None:
        """Make a bridge that is down."""
        body = _link() + _text(_IFNAME, name) + _attribute(_ADDRESS, mac) + _number(_MTU, mtu) + _kind("bridge")
        self._ask(_NEWLINK, body, name, _CREATE | _EXCL)

    def make_pair(self, name: str, peer: str, mac: bytes, mtu: int, namespace: int) -> None:
        """Make a veth pair: `name` here; `peer`, with the hardware address, in the namespace of a descriptor."""
        far = _link() + _text(_IFNAME, peer) + _attribute(_ADDRESS, mac) + _number(_MTU, mtu)
        far += _number(_NET_NS_FD, namespace)
        body = _link() + _text(_IFNAME, name) + _number(_MTU, mtu) + _kind("veth", _attribute(_VETH_PEER, far))
        self._ask(_NEWLINK, body, name, _CREATE | _EXCL)

    def raise_link(self, name: str, master: str = "") -> None:
        """Set a link up, and into a bridge where one is named."""
        body = _link(index(name), flags=UP) + (_number(_MASTER, index(master)) if master else b"")
        self._ask(_NEWLINK, body, name)

    def set_hairpin(self, name: str) -> None:
        """Let a port of a bridge send back where it came from: needed where br_netfilter is on."""
        mode = _attribute(_PROTINFO | _NESTED, _attribute(_HAIRPIN, b"\1"))
        self._ask(_SETLINK, _link(index(name), family=socket.AF_BRIDGE) + mode, name)

    def remove_link(self, name: str) -> None:
        """Remove a link by its name."""
        self._ask(_DELLINK, _link() + _text(_IFNAME, name), name)

    def add_address(self, name: str, address: IPv4Interface) -> None:
        """Give a link an address; one that it has already is no error."""
        network = address.network
        body = struct.pack("=BBBBI", socket.AF_INET, network.prefixlen, 0, _UNIVERSE, index(name))
        body += _attribute(_IFA_LOCAL, address.packed) + _attribute(_IFA_ADDRESS, address.packed)
        body += _attribute(_IFA_BROADCAST, network.broadcast_address.packed)
        self._ask(_NEWADDR, body, name, _CREATE | _REPLACE)

    def set_default_route(self, gateway: IPv4Address) -> None:
        """Lead everything else through a gateway, in the place of the gateway so far."""
        self._ask(_NEWROUTE, _default() + _attribute(_RTA_GATEWAY, gateway.packed), str(gateway), _CREATE | _REPLACE)

    def remove_default_route(self) -> None:
        """Lead nothing outward; raises ProcessLookupError (ESRCH) where nothing did."""
        self._ask(_DELROUTE, _default(scope=255), "default")

    def _ask(self, kind: int, body: bytes, about: str, flags: int = 0) -> None:
        self._sequence += 1
        size = 16 + len(body)
        head = struct.pack("=IHHII", size, kind, _REQUEST | _ACK | flags, self._sequence, 0)
        self._socket.send(head + body)
        while True:
            answer = self._socket.recv(_ANSWER)
            _, found, _, sequence, _ = struct.unpack_from("=IHHII", answer)
            if sequence == self._sequence and found == _ERROR:
                (number,) = struct.unpack_from("=i", answer, 16)
                if number != 0:
                    raise OSError(-number, os.strerror(-number), about)
                return


def index(name: str) -> int:
    """Find a link's number in this thread's namespace. Raises OSError (ENODEV)."""
    return socket.if_nametoindex(name)


def names() -> Iterable[str]:
    """Every link's name in this thread's namespace."""
    return [name for _, name in socket.if_nameindex()]


def _link(number: int = 0, *, flags: int = 0, family: int = socket.AF_UNSPEC) -> bytes:
    return struct.pack("=BBHiII", family, 0, 0, number, flags, flags)


def _default(scope: int = _UNIVERSE) -> bytes:
    return struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, _TABLE_MAIN, _BOOT, scope, _UNICAST, 0)


def _kind(name: str, data: bytes = b"") -> bytes:
    inner = _attribute(_INFO_KIND, name.encode())
    return _attribute(_LINKINFO | _NESTED, inner + (_attribute(_INFO_DATA | _NESTED, data) if data else b""))


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("=I", number))


def _attribute(kind: int, data: bytes) -> bytes:
    size = 4 + len(data)
    return struct.pack("=HH", size, kind) + data + bytes(-size % 4)
