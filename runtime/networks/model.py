"""Networks, and what containers hold of them, as frozen values with their JSON form. No I/O.

A `Network` is made by a user, or is one of the three fixed ones; a `Sandbox` is what one running container holds:
addresses in networks, and ports of the host.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

BRIDGE, HOST, NONE = "bridge", "host", "none"
FIXED = frozenset({BRIDGE, HOST, NONE})
NOWHERE, NOBODY = IPv4Network("0.0.0.0/32"), IPv4Address("0.0.0.0")  # noqa: S104
DRIVERS: Mapping[str, str] = {BRIDGE: "bridge", HOST: "host", NONE: "null"}


@dataclass(frozen=True, slots=True)
class Network:
    """One network. `bridge`: its interface on the host; `chosen`: the user gave the subnet; `reserved`: aux addresses.

    `host` and `none` have no bridge, and therefore neither subnet nor gateway.
    """

    id: str
    name: str
    driver: str
    created: int
    subnet: IPv4Network = NOWHERE
    gateway: IPv4Address = NOBODY
    ip_range: IPv4Network | None = None
    bridge: str = ""
    mtu: int = 1500
    internal: bool = False
    attachable: bool = False
    chosen: bool = False
    masquerade: bool = True
    reserved: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def fixed(self) -> bool:
        """Whether it is one of the three that are always there."""
        return self.name in FIXED

    def interface(self, address: IPv4Address) -> IPv4Interface:
        """An address with the length of the subnet."""
        return IPv4Interface((address, self.subnet.prefixlen))

    def record(self) -> dict[str, Any]:
        """The network as it is kept on disk."""
        plain = asdict(self)
        return plain | {name: plain[name] and str(plain[name]) for name in ("subnet", "gateway", "ip_range")}

    @staticmethod
    def of(record: Mapping[str, Any]) -> "Network":
        """Read a record. Raises: ValueError, TypeError, KeyError where it is damaged."""
        made = Network(**record)
        return replace(
            made,
            subnet=IPv4Network(record["subnet"]),
            gateway=IPv4Address(record["gateway"]),
            ip_range=IPv4Network(record["ip_range"]) if record["ip_range"] else None,
        )


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose sandbox: a container's id, name and host name."""

    id: str
    name: str
    hostname: str


@dataclass(frozen=True, slots=True)
class EndpointWish:
    """What a container asks of one network; "" is no wish. `priority`: whose gateway leads outward (the highest)."""

    ipv4: str = ""
    mac: str = ""
    aliases: tuple[str, ...] = ()
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's end in one network. `link`: the host's half of the pair; `interface`: the container's."""

    id: str
    network: str
    address: IPv4Address
    mac: str
    interface: str
    aliases: tuple[str, ...] = ()
    priority: int = 0

    @property
    def link(self) -> str:
        """The host's interface: known by its name, so that leftovers are found."""
        return f"mv{self.id[:12]}"


@dataclass(frozen=True, slots=True)
class PortWish:
    """A container's port to be published. `first` to `last`: ports of the host, any free one where both are 0.

    `host`: an address of the host; "" for all.
    """

    port: int
    protocol: str
    host: str = ""
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """A port of the host that leads to a container's. `hosts`: the host's addresses, 0.0.0.0 and :: for all."""

    port: int
    protocol: str
    host_port: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What one container holds while it runs. `exposed`: ports that are named and not published."""

    owner: Owner
    endpoints: tuple[Endpoint, ...] = ()
    published: tuple[Published, ...] = ()
    plugged: bool = False

    def endpoint(self, network_id: str) -> Endpoint | None:
        """The end in a network."""
        return next((end for end in self.endpoints if end.network == network_id), None)

    def record(self) -> dict[str, Any]:
        """The sandbox as it is kept on disk."""
        plain = asdict(self)
        plain["endpoints"] = [end | {"address": str(end["address"])} for end in plain["endpoints"]]
        return plain

    @staticmethod
    def of(record: Mapping[str, Any]) -> "Sandbox":
        """Read a record. Raises: ValueError, TypeError, KeyError where it is damaged."""
        return Sandbox(
            owner=Owner(**record["owner"]),
            endpoints=tuple(
                Endpoint(**end | {"address": IPv4Address(end["address"]), "aliases": tuple(end["aliases"])})
                for end in record["endpoints"]
            ),
            published=tuple(Published(**each | {"hosts": tuple(each["hosts"])}) for each in record["published"]),
            plugged=bool(record["plugged"]),
        )
