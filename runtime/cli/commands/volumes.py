"""`moor volume ls|create|rm`. Source: docker/cli cli/command/volume."""

from collections.abc import Mapping
from typing import Any

import click

from runtime.cli.client import Refused, segment
from runtime.cli.creation.values import pairs
from runtime.cli.filters import filter_option, filters_of, format_option
from runtime.cli.options import Failure, command, flag
from runtime.cli.session import Session
from runtime.cli.tables import Listing
from runtime.cli.template_functions import Method
from runtime.cli.words import size

HEADERS = {
    "Name": "VOLUME NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "Mountpoint": "MOUNTPOINT",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Size": "SIZE",
}


@command(most=0)
@filter_option
@format_option
@flag("-q", "--quiet", help="Only display volume names")
def ls(session: Session, filters: tuple[str, ...], form: str | None, quiet: bool) -> None:
    """List volumes."""
    found = session.client.json("/volumes", {"filters": filters_of(filters)}).get("Volumes") or ()
    rows = [volume_row(one) for one in sorted(found, key=lambda one: str(one["Name"]))]
    Listing(("Driver", "Name"), HEADERS, identifier="Name").show(rows, form, quiet=quiet)


def volume_row(found: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a volume as GET /volumes gives it."""
    labels: Mapping[str, str] = found.get("Labels") or {}
    usage = found.get("UsageData") or {}
    return {
        "Name": found["Name"],
        "Driver": found["Driver"],
        "Scope": found["Scope"],
        "Mountpoint": found["Mountpoint"],
        "Labels": ",".join(f"{name}={labels[name]}" for name in sorted(labels)),
        "Label": Method(lambda name: labels.get(name, "")),
        "Links": str(usage["RefCount"]) if usage else "N/A",
        "Size": size(usage["Size"]) if usage else "N/A",
        "Status": "N/A",
        "Availability": "N/A",
        "Group": "N/A",
    }


@command("[OPTIONS] [VOLUME]", most=1)
@click.option("-d", "--driver", default="local", help="Specify volume driver name")
@click.option("--label", multiple=True, help="Set metadata for a volume")
@click.option("--name", default="", hidden=True, help="Specify volume name")
@click.option("-o", "--opt", multiple=True, help="Set driver specific options")
def create(
    session: Session, words: tuple[str, ...], driver: str, label: tuple[str, ...], name: str, opt: tuple[str, ...]
) -> None:
    """Create a volume."""
    if words and name:
        raise Failure("conflicting options: cannot specify a volume name through both --name and as a positional arg")
    body = {
        "Name": words[0] if words else name,
        "Driver": driver,
        "DriverOpts": pairs(opt),
        "Labels": pairs(label),
    }
    click.echo(session.client.do("POST", "/volumes/create", body=body)["Name"])


@command("[OPTIONS] VOLUME [VOLUME...]", least=1, of="volume")
@flag("-f", "--force", help="Force the removal of one or more volumes")
def rm(session: Session, words: tuple[str, ...], force: bool) -> None:
    """Remove one or more volumes."""
    failures = []
    for word in words:
        try:
            session.client.do("DELETE", f"/volumes/{segment(word)}", {"force": force or None})
            click.echo(word)
        except Refused as error:
            failures.append(f"Error response from daemon: {error}")
    if failures:
        raise Failure("\n".join(failures))
