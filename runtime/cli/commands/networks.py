"""`moor network ls|create|rm|connect|disconnect`. Source: docker/cli cli/command/network."""

from collections.abc import Mapping
from typing import Any

import click

from runtime.cli.client import Refused, segment
from runtime.cli.creation.endpoints import hardware_address
from runtime.cli.creation.values import address, pairs
from runtime.cli.filters import filter_option, filters_of, format_option
from runtime.cli.options import Failure, command, flag
from runtime.cli.session import Session
from runtime.cli.tables import Listing
from runtime.cli.template_functions import Method
from runtime.cli.words import go_time, short_id

HEADERS = {
    "ID": "NETWORK ID",
    "Name": "NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "CreatedAt": "CREATED AT",
}


@command(most=0)
@filter_option
@format_option
@flag("--no-trunc", help="Do not truncate the output")
@flag("-q", "--quiet", help="Only display network IDs")
def ls(session: Session, filters: tuple[str, ...], form: str | None, no_trunc: bool, quiet: bool) -> None:
    """List networks."""
    found = session.client.json("/networks", {"filters": filters_of(filters)})
    rows = [_row(one, whole=no_trunc) for one in sorted(found, key=lambda one: str(one["Name"]))]
    Listing(("ID", "Name", "Driver", "Scope"), HEADERS).show(rows, form, quiet=quiet)


def _row(found: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    labels: Mapping[str, str] = found.get("Labels") or {}
    return {
        "ID": found["Id"] if whole else short_id(found["Id"]),
        "Name": found["Name"],
        "Driver": found["Driver"],
        "Scope": found["Scope"],
        "IPv4": str(bool(found.get("EnableIPv4", True))).lower(),
        "IPv6": str(bool(found.get("EnableIPv6"))).lower(),
        "Internal": str(bool(found.get("Internal"))).lower(),
        "Labels": ",".join(f"{name}={labels[name]}" for name in sorted(labels)),
        "Label": Method(lambda name: labels.get(name, "")),
        "CreatedAt": go_time(str(found.get("Created") or "")),
    }


@command("[OPTIONS] NETWORK", least=1, most=1)
@flag("--attachable", help="Enable manual container attachment")
@click.option("--aux-address", multiple=True, help="Auxiliary IPv4 or IPv6 addresses used by Network driver")
@click.option("-d", "--driver", default="bridge", help="Driver to manage the Network")
@click.option("--gateway", multiple=True, help="IPv4 or IPv6 Gateway for the master subnet")
@flag("--internal", help="Restrict external access to the network")
@click.option("--ip-range", multiple=True, help="Allocate container ip from a sub-range")
@click.option("--ipam-driver", default="default", help="IP Address Management Driver")
@flag("--ipv6", help="Enable IPv6 networking")
@click.option("--label", multiple=True, help="Set metadata on a network")
@click.option("-o", "--opt", multiple=True, help="Set driver specific options")
@click.option("--subnet", multiple=True, help="Subnet in CIDR format that represents a network segment")
def create(session: Session, words: tuple[str, ...], **given: Any) -> None:
    """Create a network."""
    body = {
        "Name": words[0],
        "Driver": given["driver"],
        "Internal": given["internal"],
        "Attachable": given["attachable"],
        "EnableIPv6": given["ipv6"],
        "Options": pairs(given["opt"]),
        "Labels": pairs(given["label"]),
        "IPAM": {"Driver": given["ipam_driver"], "Options": {}, "Config": _pools(given)},
        "CheckDuplicate": True,
    }
    made = session.client.do("POST", "/networks/create", body=body)
    if made.get("Warning"):
        click.echo(f"WARNING: {made['Warning']}", err=True)
    click.echo(made["Id"])


def _pools(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """IPAM.Config: each subnet with the range and gateway inside it. Raises: Failure."""
    from ipaddress import ip_address, ip_network  # some milliseconds, for this option only

    try:
        subnets = {text: ip_network(text, strict=False) for text in given["subnet"]}
        pools: dict[str, dict[str, Any]] = {text: {"Subnet": text} for text in given["subnet"]}
        for option, name in (("ip_range", "IPRange"), ("gateway", "Gateway")):
            for text in given[option]:
                inside = ip_address(text.partition("/")[0])
                home = next((subnet for subnet, net in subnets.items() if inside in net), None)
                if home is None:
                    raise Failure(f"no matching subnet for {option.replace('_', '-')} {text}")
                pools[home][name] = text
        for label, text in pairs(given["aux_address"]).items():
            home = next((subnet for subnet, net in subnets.items() if ip_address(text) in net), None)
            if home is None:
                raise Failure(f"no matching subnet for aux-address {text}")
            pools[home].setdefault("AuxiliaryAddresses", {})[label] = text
    except ValueError as error:
        raise Failure(f"invalid CIDR address: {error}") from error
    return list(pools.values())


@command("[OPTIONS] NETWORK [NETWORK...]", least=1, of="network")
@flag("-f", "--force", help="Do not error if the network does not exist")
def rm(session: Session, words: tuple[str, ...], force: bool) -> None:
    """Remove one or more networks."""
    failures = []
    for word in words:
        try:
            session.client.do("DELETE", f"/networks/{segment(word)}")
            click.echo(word)
        except Refused as error:
            if not (force and error.status == 404):
                failures.append(f"Error response from daemon: {error}")
    if failures:
        raise Failure("\n".join(failures))


@command("[OPTIONS] NETWORK CONTAINER", least=2, most=2, of="network")
@click.option("--alias", multiple=True, help="Add network-scoped alias for the container")
@click.option("--driver-opt", multiple=True, help="driver options for the network")
@click.option("--gw-priority", type=int, default=None, help="Highest gw-priority provides the default gateway")
@click.option("--ip", default="", help='IPv4 address (e.g., "172.30.100.104")')
@click.option("--ip6", default="", help='IPv6 address (e.g., "2001:db8::33")')
@click.option("--link", multiple=True, help="Add link to another container")
@click.option("--link-local-ip", multiple=True, help="Add a link-local address for the container")
@click.option("--mac-address", default="", help="MAC address of the container on that network")
def connect(session: Session, words: tuple[str, ...], **given: Any) -> None:
    """Connect a container to a network."""
    try:
        chosen = {
            "IPv4Address": given["ip"] and address(given["ip"]),
            "IPv6Address": given["ip6"] and address(given["ip6"]),
        }
    except ValueError as error:
        raise Failure(str(error)) from error
    chosen["LinkLocalIPs"] = list(given["link_local_ip"])
    endpoint: dict[str, Any] = {
        "IPAMConfig": {name: value for name, value in chosen.items() if value},
        "Aliases": list(given["alias"]),
        "Links": list(given["link"]),
        "DriverOpts": pairs(given["driver_opt"]),
    }
    if given["mac_address"]:
        endpoint["MacAddress"] = hardware_address(given["mac_address"])
    if given["gw_priority"] is not None:
        endpoint["GwPriority"] = given["gw_priority"]
    body = {"Container": words[1], "EndpointConfig": endpoint}
    session.client.do("POST", f"/networks/{segment(words[0])}/connect", body=body)


@command("[OPTIONS] NETWORK CONTAINER", least=2, most=2, of="network")
@flag("-f", "--force", help="Force the container to disconnect from a network")
def disconnect(session: Session, words: tuple[str, ...], force: bool) -> None:
    """Disconnect a container from a network."""
    body = {"Container": words[1], "Force": force}
    session.client.do("POST", f"/networks/{segment(words[0])}/disconnect", body=body)
