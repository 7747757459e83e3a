"""Published ports: what a container's settings ask for, and which ports of the host they get. No sockets here.

Source: docker/go-connections nat (port specifications), moby libnetwork/portallocator.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol

from runtime.errors import BadParameter, EngineError
from runtime.networks.model import PortWish, Published

PROTOCOLS = ("tcp", "udp")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # what Docker shows for "all addresses"
MOST = 2000
"""Ports that one container may publish: each is an element of a map and a socket of the daemon's."""

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Doors(Protocol):
    """Sockets of the host that stand where ports are published."""

    def open(self, protocol: str, host: str, port: int) -> None:
        """Take a port of the host. Raises OSError."""
        ...

    def close(self, protocol: str, host: str, port: int) -> None:
        """Give it back; harmless where it is not open."""
        ...


class PortTaken(EngineError):
    """A port of the host cannot be had; the message is Docker's without the endpoint's name."""


def wishes(
    bindings: Mapping[str, Any] | None, exposed: Mapping[str, Any] | None, *, publish_all: bool
) -> tuple[PortWish, ...]:
    """Read HostConfig.PortBindings, Config.ExposedPorts and HostConfig.PublishAllPorts. Raises BadParameter."""
    found = [wish for text, places in (bindings or {}).items() for wish in _bound(text, places)]
    if publish_all:
        known = {(wish.port, wish.protocol) for wish in found}
        for text in exposed or {}:
            port, protocol = port_of(text)
            if (port, protocol) not in known:
                found.append(PortWish(port, protocol))
    if sum(wish.last - wish.first + 1 for wish in found) > MOST * 32 or len(found) > MOST:
        raise BadParameter(f"a container may publish {MOST} ports at most")
    return tuple(found)


def port_of(text: str) -> tuple[int, str]:
    """Read `80/tcp` or `80`. Raises BadParameter."""
    number, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise BadParameter(f"invalid proto: {protocol}: this engine publishes tcp and udp")
    return _number(number, text), protocol


def _bound(text: str, places: Any) -> Iterator[PortWish]:
    port, protocol = port_of(text)
    if not isinstance(places, list | None):
        raise BadParameter(f"invalid port specification: {text!r}")
    for place in places or [{}]:
        if not isinstance(place, dict):
            raise BadParameter(f"invalid port specification: {text!r}")
        first, last = _range(str(place.get("HostPort") or ""))
        yield PortWish(port, protocol, _host(str(place.get("HostIp") or "")), first, last)


def _host(text: str) -> str:
    try:
        return str(ip_address(text.strip("[]"))) if text else ""
    except ValueError:
        raise BadParameter(f"invalid IP address: {text}") from None


def _range(text: str) -> tuple[int, int]:
    if text in {"", "0"}:
        return 0, 0
    low, dash, high = text.partition("-")
    first = _number(low, text)
    last = _number(high, text) if dash else first
    if last < first:
        raise BadParameter(f"invalid hostPort: {text}")
    return first, last


def _number(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise BadParameter(f"invalid port specification: {whole!r}")
    return int(text)


class HostPorts:
    """Which of the host's ports containers have. Not safe from several threads: its owner holds a lock."""

    def __init__(self, free_range: tuple[int, int] | None = None) -> None:
        self._taken: dict[tuple[str, int], set[str]] = {}
        self._free_range = free_range
        self._next = 0

    def take(self, wish: PortWish, doors: Doors) -> Published:
        """Give a wish its port, opened on each address. Raises PortTaken; nothing is then kept."""
        hosts = (wish.host,) if wish.host else EVERYWHERE
        problem: PortTaken | None = None
        for port in self._candidates(wish):
            try:
                return self._take(wish, port, hosts, doors)
            except PortTaken as error:
                problem = error
                if wish.first and wish.first == wish.last:
                    raise
        raise problem or PortTaken("all ports are allocated")

    def hold(self, published: Published) -> None:
        """Note a port that a container has already."""
        self._taken.setdefault((published.protocol, published.host_port), set()).update(published.hosts)

    def give_back(self, published: Published) -> None:
        """Undo `take` and `hold`; harmless where it is free."""
        key = published.protocol, published.host_port
        self._taken.get(key, set()).difference_update(published.hosts)
        if not self._taken.get(key):
            self._taken.pop(key, None)

    def _take(self, wish: PortWish, port: int, hosts: tuple[str, ...], doors: Doors) -> Published:
        for host in hosts:
            if self._collides(wish.protocol, port, host):
                raise PortTaken(f"Bind for {shown(host, port)} failed: port is already allocated")
        got: list[str] = []
        for host in hosts:
            try:
                doors.open(wish.protocol, host, port)
                got.append(host)
            except OSError as error:
                if host == "::" and not wish.host and error.errno in _NO_IPV6:
                    continue  # "all addresses" of a host without IPv6
                for each in got:
                    doors.close(wish.protocol, each, port)
                what = (error.strerror or str(error)).lower()
                raise PortTaken(f"failed to bind host port {shown(host, port)}/{wish.protocol}: {what}") from error
        published = Published(wish.port, wish.protocol, port, tuple(got))
        self.hold(published)
        return published

    def _collides(self, protocol: str, port: int, host: str) -> bool:
        taken = self._taken.get((protocol, port), set())
        everything = EVERYWHERE[":" in host]
        same_family = {other for other in taken if (":" in other) == (":" in host)}
        return host in taken or everything in taken or (host == everything and bool(same_family))

    def _candidates(self, wish: PortWish) -> Iterable[int]:
        if wish.first:
            return range(wish.first, wish.last + 1)
        low, high = self._free_range or _ephemeral()
        size = high - low + 1
        start = self._next
        self._next += 1
        return (low + (start + step) % size for step in range(size))


def shown(host: str, port: int) -> str:
    """An address and a port as they are written."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ephemeral() -> tuple[int, int]:
    low, high = _RANGE.read_text(encoding="ascii").split()
    return int(low), int(high)


_NO_IPV6 = frozenset({97, 99})  # EAFNOSUPPORT, EADDRNOTAVAIL
