"""`moor ps`. Source: docker/cli cli/command/container/list.go and cli/command/formatter/container.go."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import click

from runtime.cli.filters import filter_option, filters_of, format_option
from runtime.cli.options import command, flag
from runtime.cli.session import Session
from runtime.cli.tables import Listing
from runtime.cli.template_functions import Method
from runtime.cli.words import cut, local_time, quoted, short_id, since, size

HEADERS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
    "State": "STATE",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
}
COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")


@command(most=0)
@flag("-a", "--all", help="Show all containers (default shows just running)")
@filter_option
@format_option
@click.option("-n", "--last", type=int, default=-1, help="Show n last created containers (includes all states)")
@flag("-l", "--latest", help="Show the latest created container (includes all states)")
@flag("--no-trunc", help="Don't truncate output")
@flag("-q", "--quiet", help="Only display container IDs")
@flag("-s", "--size", help="Display total file sizes")
def ps(
    session: Session,
    all: bool,
    filters: tuple[str, ...],
    form: str | None,
    last: int,
    latest: bool,
    no_trunc: bool,
    quiet: bool,
    size: bool,
) -> None:
    """List containers."""
    last = 1 if latest and last < 0 else last
    sized = size or ".Size" in (form or "")
    query = {
        "all": all or None,
        "limit": last if last > 0 else None,
        "size": sized or None,
        "filters": filters_of(filters),
    }
    found = session.client.json("/containers/json", query)
    columns = [*COLUMNS, *(["Size"] if size else [])]
    Listing(columns, HEADERS).show([container_row(one, whole=no_trunc) for one in found], form, quiet=quiet)


def container_row(found: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    """A row of a container as GET /containers/json gives it."""
    labels: Mapping[str, str] = found.get("Labels") or {}
    mounts = found.get("Mounts") or ()
    names = [name.removeprefix("/") for name in found.get("Names") or ()]
    if not whole:
        names = [name for name in names if "/" not in name][:1]
    places = [mount.get("Name") or mount.get("Source", "") for mount in mounts]
    return {
        "ID": found["Id"] if whole else short_id(found["Id"]),
        "Names": ",".join(names),
        "Image": _image(found, whole=whole),
        "Command": quoted(found["Command"] if whole else cut(found["Command"], 20)),
        "CreatedAt": local_time(found["Created"]),
        "RunningFor": since(found["Created"]),
        "Ports": ports_text(found.get("Ports") or ()),
        "State": found["State"],
        "Status": found["Status"],
        "Size": _size(found),
        "Labels": ",".join(f"{name}={labels[name]}" for name in sorted(labels)),
        "Label": Method(lambda name: labels.get(name, "")),
        "Mounts": ",".join(place if whole else cut(place, 15) for place in places),
        "LocalVolumes": str(sum(mount.get("Driver") == "local" for mount in mounts)),
        "Platform": None,
        "Networks": ",".join((found.get("NetworkSettings") or {}).get("Networks") or ()),
    }


def _image(found: Mapping[str, Any], *, whole: bool) -> str:
    image = str(found.get("Image") or "<no image>")
    if whole:
        return image
    return short_id(image) if image.startswith("sha256:") else image.partition("@")[0]


def _size(found: Mapping[str, Any]) -> str:
    own, whole = size(found.get("SizeRw") or 0, 3), found.get("SizeRootFs") or 0
    return f"{own} (virtual {size(whole, 3)})" if whole else own


def ports_text(ports: Any) -> str:
    """Ports as `docker ps` writes them: `0.0.0.0:8080->80/tcp, 9000-9002/tcp`; neighbours are one range."""
    texts, groups = [], []
    for port in sorted(ports, key=_order):
        inside, outside, host = port["PrivatePort"], port.get("PublicPort"), port.get("IP")
        if host and outside != inside:
            texts.append(f"{_joined(host, outside)}->{inside}/{port['Type']}")
        else:
            groups.append((host or "", port["Type"], inside))
    ranges = [_ranges(host, kind, [p for _, _, p in same]) for (host, kind), same in groupby(groups, lambda g: g[:2])]
    return ", ".join([*(text for one in ranges for text in one), *texts])


def _order(port: Mapping[str, Any]) -> tuple[Any, ...]:
    return port["PrivatePort"], port.get("IP") or "", port.get("PublicPort") or 0, port["Type"]


def _ranges(host: str, kind: str, ports: list[int]) -> list[str]:
    runs: list[list[int]] = []
    for port in ports:
        if runs and port == runs[-1][-1] + 1:
            runs[-1].append(port)
        else:
            runs.append([port])
    spans = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return [f"{_joined(host, span)}->{span}/{kind}" if host else f"{span}/{kind}" for span in spans]


def _joined(host: str, port: Any) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
