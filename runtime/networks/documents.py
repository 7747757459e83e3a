"""Networks and endpoints in Docker's JSON (Engine API: NetworkInspect, NetworkSettings, EndpointSettings). Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from runtime import moments
from runtime.networks.model import BRIDGE, Endpoint, EndpointWish, Network, Sandbox
from runtime.networks.names import names_of, outward

_BRIDGE_OPTIONS = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",  # noqa: S104
}


def network(found: Network, inside: Iterable[Sandbox]) -> dict[str, Any]:
    """GET /networks/ID."""
    options = dict(found.options)
    if found.name == BRIDGE:
        options = _BRIDGE_OPTIONS | {
            "com.docker.network.bridge.name": found.bridge,
            "com.docker.network.driver.mtu": str(found.mtu),
        }
    return {
        "Name": found.name,
        "Id": found.id,
        "Created": moments.rfc3339(found.created),
        "Scope": "local",
        "Driver": found.driver,
        "EnableIPv4": bool(found.bridge),
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None if found.fixed else {}, "Config": _ipam(found)},
        "Internal": found.internal,
        "Attachable": found.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            sandbox.owner.id: _member(found, sandbox, end)
            for sandbox in inside
            for end in sandbox.endpoints
            if end.network == found.id
        },
        "Options": options,
        "Labels": dict(found.labels),
    }


def _ipam(found: Network) -> list[dict[str, Any]]:
    if not found.bridge:
        return []
    config: dict[str, Any] = {"Subnet": str(found.subnet), "Gateway": str(found.gateway)}
    if found.ip_range is not None:
        config["IPRange"] = str(found.ip_range)
    if found.reserved:
        config["AuxiliaryAddresses"] = dict(found.reserved)
    return [config]


def _member(found: Network, sandbox: Sandbox, end: Endpoint) -> dict[str, Any]:
    return {
        "Name": sandbox.owner.name,
        "EndpointID": end.id,
        "MacAddress": end.mac,
        "IPv4Address": str(found.interface(end.address)),
        "IPv6Address": "",
    }


def settings(
    sandbox: Sandbox | None,
    networks: Mapping[str, Network],
    wanted: Mapping[str, EndpointWish],
    exposed: Iterable[str],
) -> dict[str, Any]:
    """NetworkSettings. `wanted`: wishes by network id, shown where nothing is held; `exposed`: ports as `80/tcp`."""
    ends = {end.network: end for end in sandbox.endpoints} if sandbox is not None else {}
    shown = {
        networks[number].name: _endpoint(networks[number], ends.get(number), wanted.get(number), sandbox)
        for number in dict.fromkeys([*ends, *(wanted if sandbox is None else ())])
    }
    first = next((end for end in ends.values() if networks[end.network].name == BRIDGE), None)
    fields = _endpoint(networks[first.network], first, None, sandbox) if first is not None else _EMPTY
    leading = outward(sandbox, networks) if sandbox is not None else None
    return {
        "Bridge": "",
        "SandboxID": sandbox.owner.id if sandbox is not None else "",
        "SandboxKey": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "Ports": _ports(sandbox, exposed) if leading is not None or (sandbox and sandbox.endpoints) else {},
        **{name: fields[name] for name in _TOP},
        "Networks": shown,
    }


def outline(found: Network) -> dict[str, Any]:
    """Networks of a container in a network without a bridge."""
    return {found.name: _endpoint(found, None, None, None) | {"NetworkID": found.id}}


_TOP = (
    "EndpointID",
    "Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "MacAddress",
)
_EMPTY: Mapping[str, Any] = {
    "EndpointID": "",
    "Gateway": "",
    "IPAddress": "",
    "MacAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
}


def _endpoint(
    found: Network, end: Endpoint | None, wish: EndpointWish | None, sandbox: Sandbox | None
) -> dict[str, Any]:
    aliases = end.aliases if end is not None else wish.aliases if wish is not None else ()
    asked = {"IPv4Address": wish.ipv4} if wish is not None and wish.ipv4 else None
    document: dict[str, Any] = {
        "IPAMConfig": asked,
        "Links": None,
        "Aliases": list(aliases) or None,
        "DriverOpts": None,
        "GwPriority": end.priority if end is not None else wish.priority if wish is not None else 0,
        "NetworkID": found.id if end is not None else "",
        "DNSNames": None,
        **_EMPTY,
    }
    if end is None:
        return document
    return document | {
        "EndpointID": end.id,
        "Gateway": "" if found.internal else str(found.gateway),
        "IPAddress": str(end.address),
        "IPPrefixLen": found.subnet.prefixlen,
        "MacAddress": end.mac,
        "DNSNames": names_of(sandbox, end) if sandbox is not None and not found.fixed else None,
    }


def _ports(sandbox: Sandbox | None, exposed: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(sorted(exposed))
    for each in sandbox.published if sandbox is not None else ():
        places = [{"HostIp": host, "HostPort": str(each.host_port)} for host in each.hosts]
        key = f"{each.port}/{each.protocol}"
        found[key] = [*(found.get(key) or []), *places]
    return found
