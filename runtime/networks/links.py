"""Bridges on the host and cables into containers: what `Networks` wants of the kernel, step by step, undone on failure.

Only what is named like ours is ever removed. IPv6 is off on all of it: an engine's network has IPv4 addresses, and
nothing may talk around the rules. Sources: bridge and veth in ip-link(8), linux Documentation/networking/ip-sysctl.
"""

import errno
import re
from collections.abc import Collection, Iterable
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address
from pathlib import Path

from runtime.errors import EngineError
from runtime.networks import netlink
from runtime.networks.addressing import packed
from runtime.networks.model import Endpoint, Network
from runtime.networks.netlink import Netlink
from runtime.networks.spaces import inside, network_of

_OURS = re.compile(r"mv[0-9a-f]{12}")
_SYSCTL = Path("/proc/sys/net")


def ensure_bridge(network: Network) -> None:
    """Make a network's bridge, or set right what is there; the host forwards from now on. Raises EngineError."""
    try:
        with Netlink() as kernel:
            if network.bridge not in netlink.names():
                kernel.make_bridge(network.bridge, b"\x02\x4d" + network.gateway.packed, network.mtu)
            _sysctl(f"ipv6/conf/{network.bridge}/disable_ipv6", "1")
            _sysctl(f"ipv4/conf/{network.bridge}/route_localnet", "0")
            kernel.add_address(network.bridge, network.interface(network.gateway))
            kernel.raise_link(network.bridge)
        _sysctl("ipv4/ip_forward", "1")
    except OSError as error:
        raise EngineError(f"cannot make the bridge {network.bridge}: {error.strerror}") from error


def remove_bridge(network: Network) -> None:
    """Remove a network's bridge; harmless where it is gone. Raises EngineError."""
    _remove(network.bridge)


def plug(pid: int, network: Network, endpoint: Endpoint) -> None:
    """Lay a cable from the network's bridge into the namespace of a process. Raises EngineError; nothing is then left.

    The default route is not set: see `lead_outward`.
    """
    with ExitStack() as undo:
        undo.callback(_remove, endpoint.link)
        try:
            _plug(pid, network, endpoint)
        except OSError as error:
            raise EngineError(
                f"cannot connect {endpoint.interface} to the network {network.name}: {error.strerror}"
            ) from error
        undo.pop_all()


def _plug(pid: int, network: Network, endpoint: Endpoint) -> None:
    with network_of(pid) as space, Netlink() as kernel:
        kernel.make_pair(endpoint.link, endpoint.interface, packed(endpoint.mac), network.mtu, space)
    settle(pid, network, endpoint)


def settle(pid: int, network: Network, endpoint: Endpoint) -> None:
    """Set right both ends of a cable that is laid: harmless where they are. Raises OSError; Conflict."""

    def arrive() -> None:
        _sysctl(f"ipv6/conf/{endpoint.interface}/disable_ipv6", "1")
        with Netlink() as kernel:
            kernel.raise_link("lo")
            kernel.add_address(endpoint.interface, network.interface(endpoint.address))
            kernel.raise_link(endpoint.interface)

    _sysctl(f"ipv6/conf/{endpoint.link}/disable_ipv6", "1")
    with network_of(pid) as space, Netlink() as kernel:
        inside(space, arrive)
        kernel.raise_link(endpoint.link, network.bridge)
        kernel.set_hairpin(endpoint.link)


def unplug(endpoint: Endpoint) -> None:
    """Take a cable away, both ends; harmless where it is gone. Raises EngineError."""
    _remove(endpoint.link)


def lead_outward(pid: int, gateway: IPv4Address | None) -> None:
    """Set a container's default route, or take it away; its loopback is up after this. Raises EngineError."""

    def lead() -> None:
        with Netlink() as kernel:
            kernel.raise_link("lo")
            if gateway is not None:
                kernel.set_default_route(gateway)
                return
            with suppress(ProcessLookupError):  # there was none
                kernel.remove_default_route()

    try:
        with network_of(pid) as space:
            inside(space, lead)
    except OSError as error:
        raise EngineError(f"cannot set the default route: {error.strerror}") from error


def leftovers(known: Collection[str]) -> Iterable[str]:
    """Cables of ours that nobody knows."""
    return [name for name in netlink.names() if _OURS.fullmatch(name) and name not in known]


def remove_leftover(name: str) -> None:
    """Remove one of `leftovers`."""
    _remove(name)


def present() -> frozenset[str]:
    """Every link's name on the host."""
    return frozenset(netlink.names())


def _remove(name: str) -> None:
    try:
        with Netlink() as kernel:
            kernel.remove_link(name)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise EngineError(f"cannot remove the interface {name}: {error.strerror}") from error


def _sysctl(name: str, value: str) -> None:
    """Write a setting of this thread's namespace unless it is so; a kernel without IPv6 has no such file."""
    path = _SYSCTL / name
    try:
        if path.read_text(encoding="ascii").strip() != value:
            path.write_text(value, encoding="ascii")
    except FileNotFoundError:
        pass
