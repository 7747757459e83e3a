"""The files of ours in a container's /etc: hostname, hosts, resolv.conf. They are bound over the image's.

They are written in place, so that a container that runs sees the new text.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.containers.model import Container
from runtime.containers.services import Services
from runtime.errors import BadParameter

_NAMES = ("hostname", "hosts", "resolv.conf")
_HOST = (Path("/etc/hosts"), Path("/etc/resolv.conf"))
_LIMIT = 2**20


def write(services: Services, container: Container) -> dict[str, str]:
    """Write the three; returns each one's place on the host by its place in the container."""
    mode = container.host_config["NetworkMode"]
    if mode.startswith("container:"):
        directory = services.register.get(mode.removeprefix("container:")).directory
    else:
        directory = container.directory
        for name, text in _texts(services, container).items():
            _put(directory / name, text)
    return {f"/etc/{name}": str(directory / name) for name in _NAMES}


def refresh_hosts(services: Services, container: Container) -> None:
    """Write the hosts file of a container that runs again: its networks have changed."""
    _put(container.directory / "hosts", _texts(services, container)["hosts"])


def _texts(services: Services, container: Container) -> dict[str, str]:
    config, host = container.config, container.host_config
    if host["NetworkMode"] == "host":
        hosts, resolv = (_read(path) for path in _HOST)
    else:
        hosts, resolv = services.cables.hosts(container), services.cables.resolv(container)
    domain = f".{config['Domainname']}" if config["Domainname"] else ""
    return {
        "hostname": f"{config['Hostname']}{domain}\n",
        "hosts": hosts + _extra_hosts(host, services.cables.settings(container)),
        "resolv.conf": _resolv(resolv, host),
    }


def _extra_hosts(host: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """`--add-host NAME:ADDRESS`; host-gateway is the host as the container reaches it."""
    lines = []
    for text in host["ExtraHosts"] or ():
        name, colon, address = text.replace("=", ":", 1).partition(":")
        if address == "host-gateway":
            address = str(settings.get("Gateway") or "127.0.0.1")
        try:
            ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            raise BadParameter(f"invalid IP address in add-host: {address!r}") from None
        if not colon or not name or any(each.isspace() for each in name):
            raise BadParameter(f"bad format for add-host: {text!r}")
        lines.append(f"{address.strip('[]')}\t{name}\n")
    return "".join(lines)


def _resolv(text: str, host: Mapping[str, Any]) -> str:
    """The networks' text, with what the client chose in the place of the same words."""
    chosen = {
        "nameserver": [f"nameserver {_one_line(server)}" for server in host["Dns"] or ()],
        "search": [f"search {' '.join(map(_one_line, host['DnsSearch']))}"] if host["DnsSearch"] else [],
        "options": [f"options {' '.join(map(_one_line, host['DnsOptions']))}"] if host["DnsOptions"] else [],
    }
    kept = [line for line in text.splitlines() if not chosen.get((line.split() or [""])[0])]
    return "".join(f"{line}\n" for line in [*kept, *(line for lines in chosen.values() for line in lines)])


def _one_line(text: str) -> str:
    if not text or any(each.isspace() for each in text):
        raise BadParameter(f"invalid DNS setting: {text!r}")
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:_LIMIT]
    except OSError:
        return ""


def _put(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
    path.chmod(0o644)
