"""From the body of POST /networks/create to a `Network`. Nothing of it is trusted: names become interfaces and rules.

Sentences are moby's (daemon/network.go, libnetwork). Drivers other than bridge, and IPv6, are refused with a reason.
"""

import re
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from runtime.errors import BadParameter, Forbidden, NotFound
from runtime.networks.addressing import free_subnet
from runtime.networks.model import BRIDGE, DRIVERS, FIXED, Network

BRIDGE_NAME = "com.docker.network.bridge.name"
MTU = "com.docker.network.driver.mtu"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}", re.ASCII)
_INTERFACE = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,14}", re.ASCII)
_SMALLEST = 30  # a gateway and one container


def wanted(body: Mapping[str, Any], pool: IPv4Network, taken: Collection[IPv4Network]) -> Network:
    """Read a body; a subnet is chosen from the pool where it names none. `taken`: subnets in use here.

    Raises: BadParameter, Forbidden, NotFound (a driver), EngineError when no subnet is free.
    """
    name = _named(body)
    number = secrets.token_hex(32)
    plain = Network(number, name, BRIDGE, time.time_ns(), bridge=f"moor-{number[:10]}")
    given = replace(
        plain,
        internal=body.get("Internal") is True,
        attachable=body.get("Attachable") is True,
        options=_texts(body, "Options"),
        labels=_texts(body, "Labels"),
    )
    return _optioned(_addressed(given, _ipam(body), pool, taken))


def fixed(name: str, pool: IPv4Network, taken: Collection[IPv4Network], bridge: str) -> Network:
    """Make one of the three networks that are always there. Raises EngineError when no subnet is free."""
    plain = Network(secrets.token_hex(32), name, DRIVERS[name], time.time_ns())
    if name != BRIDGE:
        return plain
    return _addressed(replace(plain, bridge=bridge), {}, pool, taken)


def _named(body: Mapping[str, Any]) -> str:
    name, driver = body.get("Name"), body.get("Driver") or BRIDGE
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadParameter(f"{name or ''} includes invalid characters for a network name" if name else "name required")
    if name in FIXED or name == "default":
        raise Forbidden(f"operation is not permitted on predefined {name} network ")
    if name.startswith("container:"):
        raise BadParameter(f'invalid network name "{name}"')
    if driver in {"host", "null"}:
        raise Forbidden(f'only one instance of "{driver}" network is allowed')
    if driver != BRIDGE:
        raise NotFound(f"could not find plugin {driver} in v1 plugin registry: this engine has bridge networks only")
    for flag in ("EnableIPv6", "Ingress", "ConfigOnly"):
        if body.get(flag):
            raise BadParameter(f"{flag}: this engine's networks are local and have IPv4 addresses only")
    return name


def _texts(body: Mapping[str, Any], name: str) -> dict[str, str]:
    given = body.get(name) or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise BadParameter(f"json: {name} is an object of strings")
    return dict(given)


def _ipam(body: Mapping[str, Any]) -> Mapping[str, Any]:
    ipam = body.get("IPAM") or {}
    configs = (ipam.get("Config") or []) if isinstance(ipam, dict) else None
    if not isinstance(configs, list) or not all(isinstance(each, dict) for each in configs):
        raise BadParameter("json: IPAM.Config is a list of objects")
    if (driver := ipam.get("Driver")) not in {None, "", "default"}:
        raise BadParameter(f"could not find IPAM driver {driver}")
    if len(configs) > 1:
        raise BadParameter("bridge driver doesn't support multiple subnets")
    return configs[0] if configs else {}


def _addressed(
    network: Network, config: Mapping[str, Any], pool: IPv4Network, taken: Collection[IPv4Network]
) -> Network:
    chosen = _subnet(config["Subnet"]) if config.get("Subnet") else None
    if chosen is not None and any(chosen.overlaps(other) for other in taken):
        raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")
    if chosen is None and any(config.get(key) for key in ("IPRange", "Gateway", "AuxiliaryAddresses")):
        raise BadParameter("invalid network config: IPRange, Gateway and auxiliary addresses need a Subnet")
    subnet = chosen or free_subnet(pool, taken)
    ip_range = _subnet(config["IPRange"]) if config.get("IPRange") else None
    if ip_range is not None and not ip_range.subnet_of(subnet):
        raise BadParameter(f"invalid network config:\ninvalid ip-range {ip_range}: it is not within subnet {subnet}")
    reserved = {
        str(name): str(_inside(subnet, text)) for name, text in (config.get("AuxiliaryAddresses") or {}).items()
    }
    gateway = _inside(subnet, config["Gateway"]) if config.get("Gateway") else _first(ip_range or subnet, reserved)
    if str(gateway) in reserved.values():
        raise Forbidden("Address already in use")
    return replace(
        network, subnet=subnet, gateway=gateway, ip_range=ip_range, reserved=reserved, chosen=chosen is not None
    )


def _first(pool: IPv4Network, reserved: Mapping[str, str]) -> IPv4Address:
    for address in pool.hosts():
        if str(address) not in reserved.values():
            return address
    raise BadParameter("no address is left for the gateway")


def _subnet(text: object) -> IPv4Network:
    if ":" in str(text):
        raise BadParameter(f"invalid subnet {text}: this engine's networks have IPv4 addresses only")
    try:
        subnet = IPv4Network(str(text))
    except ValueError as error:
        raise BadParameter(f"invalid network config:\ninvalid subnet {text}: {error}") from None
    if subnet.prefixlen > _SMALLEST or subnet.prefixlen < 8 or subnet.is_loopback or subnet.is_multicast:
        raise BadParameter(f"invalid network config:\ninvalid subnet {text}: no network for containers")
    return subnet


def _inside(subnet: IPv4Network, text: object) -> IPv4Address:
    try:
        address = IPv4Address(str(text))
    except AddressValueError:
        raise BadParameter(f"invalid network config:\ninvalid address {text}") from None
    if not subnet.network_address < address < subnet.broadcast_address:
        raise BadParameter(f"invalid network config:\n{address} is no address of a host in subnet {subnet}")
    return address


def _optioned(network: Network) -> Network:
    """Apply the bridge driver's options; those that Docker knows and this engine does not change nothing."""
    options = network.options
    name = options.get(BRIDGE_NAME, network.bridge)
    if not _INTERFACE.fullmatch(name):
        raise BadParameter(f"invalid bridge name {name!r}")
    mtu = options.get(MTU, str(network.mtu))
    if not (mtu.isascii() and mtu.isdigit() and 68 <= int(mtu[:6]) <= 65535):
        raise BadParameter(f"invalid MTU {mtu!r}")
    return replace(
        network, bridge=name, mtu=int(mtu), masquerade=options.get(MASQUERADE, "true").lower() not in {"false", "0"}
    )


def moved(network: Network, bridge: str, pool: IPv4Network, taken: Collection[IPv4Network]) -> Network:
    """Give the fixed bridge, while nothing of it is made, another subnet where the host now has a route to its own."""
    if network.bridge == bridge and not any(network.subnet.overlaps(other) for other in taken):
        return network
    return _addressed(replace(network, bridge=bridge), {}, pool, taken)
