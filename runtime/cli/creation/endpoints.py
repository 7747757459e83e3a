"""Network options: `--network NAME` or `--network name=NAME,alias=...,ip=...`; --network-alias, --ip and their like.

Pure. Source: docker/cli opts/network.go, cli/command/container/opts.go (parseNetworkOpts).
"""

import csv
import re
from collections.abc import Mapping
from typing import Any

from runtime.cli.creation.values import address
from runtime.cli.options import Failure

_LONG = re.compile(r"\w+=\w+", re.ASCII)
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", re.ASCII)
_FIXED = ("default", "bridge", "host", "none")


def mode(networks: tuple[str, ...]) -> str:
    """HostConfig.NetworkMode of the options: the first network's name."""
    return _parsed(networks[0])[0] if networks else "default"


def endpoints(given: Mapping[str, Any]) -> dict[str, Any]:
    """NetworkingConfig.EndpointsConfig of the options. Raises: Failure."""
    found: dict[str, Any] = {}
    for place, text in enumerate(given["network"] or ("default",)):
        name, endpoint = _parsed(text)
        if place == 0:
            endpoint = _merged(name, endpoint, given)
        if name in found:
            raise Failure(f'network "{name}" is specified multiple times', 125)
        if not user_made(name) and endpoint.get("Aliases"):
            raise Failure("network-scoped aliases are only supported for user-defined networks", 125)
        found[name] = endpoint
    if len(found) > 1 and not all(map(user_made, found)):
        raise Failure("conflicting options: cannot attach both user-defined and non-user-defined network-modes", 125)
    return found if len(found) > 1 else {name: endpoint for name, endpoint in found.items() if endpoint}


def user_made(name: str) -> bool:
    """Whether a network is one that somebody made, and no fixed one or another container's."""
    return name not in _FIXED and not name.startswith("container:")


def _parsed(text: str) -> tuple[str, dict[str, Any]]:
    if not _LONG.search(text):
        return text, {}
    name, endpoint = "", dict[str, Any]()
    for field in next(csv.reader([text])):
        key, equals, value = field.partition("=")
        key, value = key.strip().lower(), value.strip()
        if not equals or not key:
            raise Failure(f"invalid field {field}", 125)
        if key == "name":
            name = value
        else:
            _put(endpoint, key, value)
    if not name:
        raise Failure("network name/id is not specified", 125)
    return name, endpoint


def _put(endpoint: dict[str, Any], key: str, value: str) -> None:
    if key == "alias":
        endpoint.setdefault("Aliases", []).append(value)
    elif key in {"ip", "ip6"}:
        family = "IPv4Address" if key == "ip" else "IPv6Address"
        endpoint.setdefault("IPAMConfig", {})[family] = _address(value)
    elif key == "link-local-ip":
        endpoint.setdefault("IPAMConfig", {}).setdefault("LinkLocalIPs", []).append(_address(value))
    elif key == "mac-address":
        endpoint["MacAddress"] = hardware_address(value)
    elif key == "driver-opt":
        name, _, text = value.partition("=")
        endpoint.setdefault("DriverOpts", {})[name] = text
    elif key == "gw-priority" and value.lstrip("-").isdigit():
        endpoint["GwPriority"] = int(value)
    else:
        raise Failure(f"invalid field key {key}", 125)


def _merged(name: str, endpoint: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The first network's endpoint with what the options without a network say."""
    pairs = (
        ("Aliases", list(given["network_alias"])),
        ("Links", list(given["link"]) if user_made(name) else []),
        ("MacAddress", hardware_address(given["mac_address"]) if given["mac_address"] else ""),
    )
    for key, value in pairs:
        if value and endpoint.get(key):
            raise Failure(f"conflicting options: {key} are given for the network and for the container", 125)
        if value:
            endpoint[key] = value
    addresses = {"IPv4Address": given["ip"], "IPv6Address": given["ip6"], "LinkLocalIPs": list(given["link_local_ip"])}
    wanted = {key: value for key, value in addresses.items() if value}
    if wanted:
        endpoint["IPAMConfig"] = endpoint.get("IPAMConfig", {}) | wanted
    return endpoint


def hardware_address(text: str) -> str:
    """A MAC address in Docker's form. Raises: Failure."""
    if not _MAC.fullmatch(text.strip()):
        raise Failure(f"{text} is not a valid mac address", 125)
    return text.strip().lower().replace("-", ":")


def _address(text: str) -> str:
    try:
        return address(text)
    except ValueError as error:
        raise Failure(str(error), 125) from error
