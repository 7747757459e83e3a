"""`moor system df`. Source: docker/cli cli/command/system/df.go, cli/command/formatter/disk_usage.go."""

from collections.abc import Iterable, Mapping
from typing import Any

import click

from runtime.cli.commands.images import HEADERS as IMAGE_HEADERS
from runtime.cli.commands.images import image_rows
from runtime.cli.commands.listing import HEADERS as CONTAINER_HEADERS
from runtime.cli.commands.listing import container_row
from runtime.cli.commands.volumes import HEADERS as VOLUME_HEADERS
from runtime.cli.commands.volumes import volume_row
from runtime.cli.filters import format_option
from runtime.cli.options import command, flag
from runtime.cli.session import Session
from runtime.cli.tables import Listing
from runtime.cli.words import short_id, since, size
from runtime.moments import NEVER, parse_rfc3339

HEADERS = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}

CACHE_HEADERS = {
    "ID": "CACHE ID",
    "CacheType": "CACHE TYPE",
    "Size": "SIZE",
    "CreatedSince": "CREATED",
    "LastUsedSince": "LAST USED",
    "UsageCount": "USAGE",
    "Shared": "SHARED",
}


@command(most=0)
@format_option
@flag("-v", "--verbose", help="Show detailed information on space usage")
def df(session: Session, form: str | None, verbose: bool) -> None:
    """Show disk usage of the engine."""
    found = session.client.json("/system/df")
    if verbose and not form:
        _verbose(found)
    else:
        Listing(tuple(HEADERS), HEADERS, identifier="Type").show(usage_rows(found), form)


def usage_rows(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of GET /system/df: images, containers, volumes, build cache."""
    images, containers = found.get("Images") or [], found.get("Containers") or []
    volumes, cache = found.get("Volumes") or [], found.get("BuildCache") or []
    used = sum(one["Size"] - max(one.get("SharedSize", 0), 0) for one in images if one.get("Containers", 0) > 0)
    layers = found.get("LayersSize") or 0
    running = [one for one in containers if one["State"] in {"running", "paused", "restarting"}]
    mounted = [one for one in volumes if (one.get("UsageData") or {}).get("RefCount", 0) > 0]
    busy = [one for one in cache if one.get("InUse")]
    return [
        _row("Images", len(images), sum(one.get("Containers", 0) > 0 for one in images), layers, max(layers - used, 0)),
        _row("Containers", len(containers), len(running), _sum(containers), _sum(containers) - _sum(running)),
        _row("Local Volumes", len(volumes), len(mounted), _volumes(volumes), _volumes(volumes) - _volumes(mounted)),
        _row("Build Cache", len(cache), len(busy), _cache(cache), _cache(cache) - _cache(busy)),
    ]


def _row(kind: str, total: int, active: int, used: int, free: int) -> dict[str, str]:
    share = f" ({free * 100 // used}%)" if used and kind != "Build Cache" else ""
    return {
        "Type": kind,
        "TotalCount": str(total),
        "Active": str(active),
        "Size": size(used),
        "Reclaimable": f"{size(free)}{share}",
    }


def _sum(containers: Iterable[Mapping[str, Any]]) -> int:
    return sum(one.get("SizeRw") or 0 for one in containers)


def _volumes(volumes: Iterable[Mapping[str, Any]]) -> int:
    return sum(max((one.get("UsageData") or {}).get("Size", 0), 0) for one in volumes)


def _cache(entries: Iterable[Mapping[str, Any]]) -> int:
    return sum(one.get("Size", 0) for one in entries if not one.get("Shared"))


def _verbose(found: Mapping[str, Any]) -> None:
    click.echo("Images space usage:\n")
    columns = ("Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers")
    images = found.get("Images") or ()
    rows = [next(image_rows(one, whole=False, digests=False)) for one in images]
    Listing(columns, IMAGE_HEADERS).show(rows, None)
    click.echo("\nContainers space usage:\n")
    containers = ("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names")
    Listing(containers, CONTAINER_HEADERS).show(
        [container_row({**one, "SizeRootFs": 0}, whole=False) for one in found.get("Containers") or ()], None
    )
    click.echo("\nLocal Volumes space usage:\n")
    Listing(("Name", "Links", "Size"), VOLUME_HEADERS).show(
        [volume_row(one) for one in found.get("Volumes") or ()], None
    )
    cache = found.get("BuildCache") or ()
    click.echo(f"\nBuild cache usage: {size(_cache(cache))}\n")
    Listing(tuple(CACHE_HEADERS), CACHE_HEADERS).show([_cache_row(one) for one in cache], None)


def _cache_row(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ID": short_id(str(found.get("ID", ""))),
        "CacheType": found.get("Type", ""),
        "Size": size(found.get("Size") or 0),
        "CreatedSince": _ago(found.get("CreatedAt")),
        "LastUsedSince": _ago(found.get("LastUsedAt")),
        "UsageCount": str(found.get("UsageCount") or 0),
        "Shared": str(bool(found.get("Shared"))).lower(),
    }


def _ago(text: str | None) -> str:
    moment = parse_rfc3339(text) if text else NEVER
    return since(moment / 10**9) if moment != NEVER else ""
