"""The engine's one nftables table, written whole from what is known: no rule can be lost, doubled or left behind.

The text replaces the table in one transaction. It masquerades what leaves a network, leads published ports to their
containers, keeps networks apart, lets nothing from outside in that is not published, and drops what containers send to
127.0.0.0/8 (another program may have set route_localnet for all interfaces, as kube-proxy does). Accepting here says
nothing for other tables; where iptables would drop forwarded packets (a dockerd, ufw), it is told of our bridges.
Sources: nft(8), netfilter hook priorities.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from runtime import programs
from runtime.networks.model import Network
from runtime.programs import ProgramFailed

TABLE = "moorage"
_ANY = "0.0.0.0"  # noqa: S104  # as an element: all of the host's addresses
PREFIX = "moor"
"""Bridges that the engine names itself begin with it."""


@dataclass(frozen=True, slots=True)
class Forward:
    """One published port: `host` is an IPv4 address of the host, or 0.0.0.0 for all."""

    protocol: str
    host: str
    host_port: int
    address: IPv4Address
    port: int

    @property
    def target(self) -> str:
        """As nft writes it."""
        return f"{self.address} . {self.port}"


def apply(networks: Sequence[Network], forwards: Sequence[Forward]) -> None:
    """Replace the table. Raises: ProgramFailed, Unavailable where nft is missing."""
    programs.run(programs.find("nft"), "-f", "-", stdin=text(networks, forwards))


def publish(forwards: Sequence[Forward]) -> None:
    """Replace the published ports alone, which is quicker. Raises: ProgramFailed, also where there is no table yet."""
    lines = [f"flush map ip {TABLE} {name}\n" for name in ("everywhere", "somewhere")]
    for name, elements in zip(("everywhere", "somewhere"), _elements(forwards), strict=True):
        if elements:
            lines.append(f"add element ip {TABLE} {name} {{ {', '.join(elements)} }}\n")
    programs.run(programs.find("nft"), "-f", "-", stdin="".join(lines))


def remove() -> None:
    """Take the table away."""
    programs.run(programs.find("nft"), "-f", "-", stdin=f"table ip {TABLE}\ndelete table ip {TABLE}\n")


def text(networks: Sequence[Network], forwards: Sequence[Forward]) -> str:
    """The transaction. Names and addresses were checked when they came in: each is written between quotes or parsed."""
    bridges = [network for network in networks if network.bridge]
    everywhere, somewhere = _elements(forwards)
    parts = [
        _set("map", "everywhere", "inet_proto . inet_service : ipv4_addr . inet_service", everywhere),
        _set("map", "somewhere", "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service", somewhere),
        _set("set", "bridges", "ifname", [f'"{n.bridge}"' for n in bridges]),
        _set("set", "outward", "ifname", [f'"{n.bridge}"' for n in bridges if not n.internal]),
        _set("set", "within", "ifname . ifname", [f'"{n.bridge}" . "{n.bridge}"' for n in bridges]),
        _CHAINS,
        _postrouting(bridges),
    ]
    return f"table ip {TABLE}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n{''.join(parts)}}}\n"


def _elements(forwards: Sequence[Forward]) -> tuple[list[str], list[str]]:
    """The elements of both maps. What is published on the loopback has none: it is carried over by a socket."""
    routed = [f for f in forwards if not ip_address(f.host).is_loopback]
    everywhere = [f"{f.protocol} . {f.host_port} : {f.target}" for f in routed if f.host == _ANY]
    return everywhere, [f"{f.host} . {f.protocol} . {f.host_port} : {f.target}" for f in routed if f.host != _ANY]


def _set(kind: str, name: str, types: str, elements: Iterable[str]) -> str:
    inner = ", ".join(elements)
    return f"{kind} {name} {{\n type {types}\n" + (f" elements = {{ {inner} }}\n" if inner else "") + "}\n"


def _postrouting(bridges: Iterable[Network]) -> str:
    rules = []
    for network in bridges:
        if network.masquerade and not network.internal:
            rules.append(f' ip saddr {network.subnet} oifname != "{network.bridge}" masquerade\n')
        # a container that asks for its own published port must get the answer through the host
        rules.append(f' ip saddr {network.subnet} oifname "{network.bridge}" ct status dnat masquerade\n')
    return "chain postrouting {\n type nat hook postrouting priority 100; policy accept;\n" + "".join(rules) + "}\n"


_CHAINS = """\
chain early {
 type filter hook prerouting priority -300; policy accept;
 iifname @bridges ip daddr 127.0.0.0/8 drop
}
chain prerouting {
 type nat hook prerouting priority -100; policy accept;
 fib daddr type local jump publish
}
chain output {
 type nat hook output priority -100; policy accept;
 ip daddr != 127.0.0.0/8 fib daddr type local jump publish
}
chain publish {
 dnat ip to ip daddr . meta l4proto . th dport map @somewhere
 dnat ip to meta l4proto . th dport map @everywhere
}
chain forward {
 type filter hook forward priority -10; policy accept;
 iifname . oifname @within accept
 iifname @bridges iifname != @outward drop
 oifname @bridges oifname != @outward drop
 ct state established,related accept
 oifname @bridges ct status dnat accept
 oifname @bridges drop
}
"""


def let_through(bridges: Iterable[str]) -> None:
    """Have iptables' FORWARD chain accept what this table has let pass, where that chain drops by itself.

    Packets between our bridges and Docker's stay Docker's to judge. Does nothing where iptables is not installed.
    Raises ProgramFailed.
    """
    iptables = shutil.which("iptables") or shutil.which("iptables", path="/usr/sbin:/sbin")
    if iptables is None:
        return
    try:
        rules = programs.run(iptables, "-w", "10", "-S").splitlines()
    except ProgramFailed:
        return  # a kernel without iptables: nothing drops by it
    ours = [f"{PREFIX}+", *(name for name in bridges if not name.startswith(PREFIX))]
    has_user = "-N DOCKER-USER" in rules
    if not has_user and "-P FORWARD DROP" not in rules:
        return
    chain = "DOCKER-USER" if has_user else "FORWARD"
    wanted = [
        *((chain, "-o", name, "-j", "ACCEPT") for name in ours),
        *((chain, "-i", name, "-j", "ACCEPT") for name in ours),
        *(
            (chain, "-i", name, "-o", other, "-j", "RETURN")
            for name in ours
            for other in ("docker0", "br-+")
            if has_user
        ),
    ]
    for rule in wanted:
        if f"-A {' '.join(rule)}" not in rules:
            programs.run(iptables, "-w", "10", "-I", *rule)
