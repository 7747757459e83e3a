"""Who is called what: the text of /etc/hosts and /etc/resolv.conf, and the names that a container's DNS knows. Pure.

Sources: moby libnetwork (sandbox_dns_unix, resolvconf), resolv.conf(5).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, ip_address

from runtime.networks.model import BRIDGE, Endpoint, Network, Sandbox
from runtime.networks.resolver import Zone

LOOPBACK = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "ff00::0\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)
_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,252}", re.ASCII)
"""A host name comes from a client: it must not add lines to a file."""

_KEPT = ("search", "options", "domain")


def names_of(sandbox: Sandbox, endpoint: Endpoint) -> list[str]:
    """Every name of a container in a user-made network, the container's first."""
    found = [sandbox.owner.name, *endpoint.aliases, sandbox.owner.id[:12], sandbox.owner.hostname]
    return list(dict.fromkeys(filter(_NAME.fullmatch, found)))


def peers(
    sandbox: Sandbox, sandboxes: Iterable[Sandbox], networks: Mapping[str, Network]
) -> list[tuple[IPv4Address, list[str]]]:
    """Whom a container may call by name: all others in the user-made networks that it is in."""
    mine = {end.network for end in sandbox.endpoints if not networks[end.network].fixed}
    return [
        (end.address, names_of(other, end))
        for other in sandboxes
        if other.owner.id != sandbox.owner.id
        for end in other.endpoints
        if end.network in mine
    ]


def hosts(sandbox: Sandbox, others: Iterable[tuple[IPv4Address, Sequence[str]]]) -> str:
    """The text of /etc/hosts: the container's own names, then its peers', so that they hold while no daemon answers."""
    own = [sandbox.owner.hostname, *(name for end in sandbox.endpoints for name in end.aliases)]
    lines = [(end.address, list(dict.fromkeys(filter(_NAME.fullmatch, own)))) for end in sandbox.endpoints]
    lines += [(address, list(found)) for address, found in others]
    return LOOPBACK + "".join(f"{address}\t{' '.join(found)}\n" for address, found in lines if found)


def resolv(host: str, gateway: IPv4Address | None, *, by_name: bool) -> str:
    """The text of /etc/resolv.conf, of the host's and the address at which our DNS answers.

    Ours is asked where names of containers are known (`by_name`), or where the host's servers are on its loopback, that
    is out of a container's reach.
    """
    kept = [line for line in host.splitlines() if line.split()[:1] and line.split()[0] in _KEPT]
    outside = [server for server in servers(host) if not ip_address(server.partition("%")[0]).is_loopback]
    if gateway is not None and (by_name or not outside):
        outside = [str(gateway)]
    return "".join(f"{line}\n" for line in [*(f"nameserver {server}" for server in outside), *kept])


def servers(text: str) -> list[str]:
    """The name servers that a resolv.conf names, in order."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            ip_address(words[1].partition("%")[0])
        except ValueError:
            continue
        found.append(words[1])
    return found


def outward(sandbox: Sandbox, networks: Mapping[str, Network]) -> Endpoint | None:
    """The end whose gateway is the container's way out: by priority, then Docker's bridge, then by name; none if all
    its networks are internal."""
    open_ends = [end for end in sandbox.endpoints if not networks[end.network].internal]
    return min(
        open_ends,
        key=lambda end: (-end.priority, networks[end.network].name != BRIDGE, networks[end.network].name),
        default=None,
    )


def zone(sandbox: Sandbox, sandboxes: Iterable[Sandbox], networks: Mapping[str, Network]) -> Zone:
    """What a container's DNS knows: everybody in its user-made networks, itself too, by `name` and `name.network`."""
    known: dict[str, list[IPv4Address]] = {}
    mine = [end.network for end in sandbox.endpoints if end.network in networks]
    for other in sandboxes:
        for end in other.endpoints:
            if end.network not in mine or networks[end.network].fixed:
                continue
            for name in names_of(other, end):
                for form in (name.lower(), f"{name}.{networks[end.network].name}".lower()):
                    known.setdefault(form, []).append(end.address)
    return Zone(known, outside=any(not networks[number].internal for number in mine))
