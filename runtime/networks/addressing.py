"""Which subnet a new network gets, and which address a container. Pure, but for the look at the host's routes.

Sentences are those of moby's libnetwork/ipamapi.
"""

import secrets
import socket
import struct
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from runtime.errors import BadParameter, EngineError, Forbidden
from runtime.networks.model import Network

PREFIX = 24
_SKIPPED = 65_536
"""Addresses that are looked at before a network counts as full: no request may count through a /8."""


def host_routes() -> list[IPv4Network]:
    """Every subnet that the host has a route for, in this thread's namespace; not the default route."""
    found = []
    for line in Path("/proc/thread-self/net/route").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        address, mask = (socket.ntohl(int(fields[place], 16)) for place in (1, 7))
        if mask:
            found.append(IPv4Network((address & mask, mask.bit_count())))
    return found


def free_subnet(pool: IPv4Network, taken: Collection[IPv4Network]) -> IPv4Network:
    """Choose the first /24 of the pool that overlaps with nothing. Raises EngineError."""
    subnets: Iterable[IPv4Network] = (pool,) if pool.prefixlen > PREFIX else pool.subnets(new_prefix=PREFIX)
    for subnet in subnets:
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise EngineError("all predefined address pools have been fully subnetted")


def free_address(
    network: Network, taken: Collection[IPv4Address], wished: str = "", after: IPv4Address | None = None
) -> IPv4Address:
    """Choose an address of a network, the next free one behind `after`: one that was given back rests for a while.

    Raises: BadParameter, Forbidden where a wish cannot be, EngineError when full.
    """
    if wished:
        return _wished(network, taken, wished)
    used = {*taken, network.gateway, *map(IPv4Address, network.reserved.values())}
    pool = network.ip_range or network.subnet
    first, size = int(pool.network_address), pool.num_addresses
    start = int(after) + 1 - first if after is not None and after in pool else 0
    for step in range(min(size, _SKIPPED)):
        address = IPv4Address(first + (start + step) % size)
        if address not in used and _usable(network.subnet, address):
            return address
    raise EngineError(f"no available IPv4 addresses on this network's address pools: {network.name} ({network.id})")


def _wished(network: Network, taken: Collection[IPv4Address], wished: str) -> IPv4Address:
    try:
        address = IPv4Address(wished)
    except ValueError:
        raise BadParameter(f"invalid IPv4 address: {wished}") from None
    if network.fixed:
        raise BadParameter("user specified IP address is supported on user defined networks only")
    if not network.chosen:
        raise BadParameter(
            "user specified IP address is supported only when connecting to networks with user configured subnets"
        )
    if not _usable(network.subnet, address):
        raise BadParameter(f"no configured subnet or ip-range contain the IP address {address}")
    if address in taken or address == network.gateway:
        raise Forbidden("Address already in use")
    return address


def _usable(subnet: IPv4Network, address: IPv4Address) -> bool:
    if subnet.prefixlen >= 31:
        return address in subnet
    return subnet.network_address < address < subnet.broadcast_address


def hardware_address(address: IPv4Address, taken: Collection[str]) -> str:
    """Make a MAC address of an IPv4 address: whoever gets the address next is found by neighbours' ARP tables at once.

    Random where somebody has wished that one for himself. `02:` is locally administered.
    """
    made = b"\x02\x42" + address.packed
    while made.hex(":") in taken:
        made = b"\x02" + secrets.token_bytes(5)
    return made.hex(":")


def wished_hardware_address(text: str) -> str:
    """Check a MAC address that somebody wishes. Raises BadParameter."""
    try:
        mac = bytes.fromhex(text.replace(":", "").replace("-", ""))
        if len(mac) != 6 or len(text) != 17:
            raise ValueError
    except ValueError:
        raise BadParameter(f"invalid MAC address: {text!r}") from None
    if mac[0] & 1 or not any(mac):
        raise BadParameter(f"invalid MAC address: {text!r} names a group, or nobody")
    return mac.hex(":")


def packed(mac: str) -> bytes:
    """The six bytes of an address that was checked."""
    return struct.pack("6B", *(int(part, 16) for part in mac.split(":")))
