"""The prune commands: what nobody uses goes, after a question. Source: docker/cli cli/command/*/prune.go."""

import sys
from collections.abc import Iterable

import click

from runtime.cli.filters import filters_of, prune_filter_option
from runtime.cli.options import Failure, command, flag
from runtime.cli.session import Session
from runtime.cli.words import size

_FORCE = flag("-f", "--force", help="Do not prompt for confirmation")
_CONTAINERS = "all stopped containers"
_NETWORKS = "all networks not used by at least one container"
_DANGLING, _UNUSED = "all dangling images", "all images without at least one container associated to them"
_ANONYMOUS, _VOLUMES = (
    "all anonymous volumes not used by at least one container",
    "all volumes not used by at least one container",
)


def confirm(warning: str, *, force: bool, what: str) -> None:
    """Ask, unless forced. Raises: Failure where the answer is no."""
    if force:
        return
    click.echo(f"WARNING! {warning}\nAre you sure you want to continue? [y/N] ", nl=False)
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Failure(f"{what} prune has been cancelled")


@command(most=0)
@prune_filter_option
@_FORCE
def container_prune(session: Session, filters: tuple[str, ...], force: bool) -> None:
    """Remove all stopped containers."""
    confirm(f"This will remove {_CONTAINERS}.", force=force, what="container")
    _total(_containers(session, filters))


@command(most=0)
@flag("-a", "--all", help="Remove all unused images, not just dangling ones")
@prune_filter_option
@_FORCE
def image_prune(session: Session, all: bool, filters: tuple[str, ...], force: bool) -> None:
    """Remove unused images."""
    confirm(f"This will remove {_UNUSED if all else _DANGLING}.", force=force, what="image")
    _total(_images(session, filters, every=all))


@command(most=0)
@prune_filter_option
@_FORCE
def network_prune(session: Session, filters: tuple[str, ...], force: bool) -> None:
    """Remove all unused networks."""
    confirm(f"This will remove {_NETWORKS}.", force=force, what="network")
    _networks(session, filters)


@command(most=0)
@flag("-a", "--all", help="Remove all unused volumes, not just anonymous ones")
@prune_filter_option
@_FORCE
def volume_prune(session: Session, all: bool, filters: tuple[str, ...], force: bool) -> None:
    """Remove unused local volumes."""
    confirm(f"This will remove {_VOLUMES if all else _ANONYMOUS}.", force=force, what="volume")
    _total(_volumes(session, filters, every=all))


@command(most=0)
@flag("-a", "--all", help="Remove all unused images not just dangling ones")
@prune_filter_option
@_FORCE
@flag("--volumes", help="Prune anonymous volumes")
def system_prune(session: Session, all: bool, filters: tuple[str, ...], force: bool, volumes: bool) -> None:
    """Remove unused data."""
    doomed = [_CONTAINERS, _NETWORKS, *([_ANONYMOUS] if volumes else []), _UNUSED if all else _DANGLING]
    lines = "".join(f"  - {one}\n" for one in [*doomed, "unused build cache"])
    confirm(f"This will remove:\n{lines}", force=force, what="system")
    freed = _containers(session, filters)
    _networks(session, filters)
    freed += _volumes(session, filters, every=False) if volumes else 0
    freed += _images(session, filters, every=all)
    freed += int((session.client.do("POST", "/build/prune", {"all": all}) or {}).get("SpaceReclaimed") or 0)
    _total(freed)


def _containers(session: Session, filters: tuple[str, ...]) -> int:
    found = session.client.do("POST", "/containers/prune", {"filters": filters_of(filters)})
    _list("Deleted Containers:", found.get("ContainersDeleted"))
    return int(found.get("SpaceReclaimed") or 0)


def _images(session: Session, filters: tuple[str, ...], *, every: bool) -> int:
    wanted = (*filters, f"dangling={'false' if every else 'true'}")
    found = session.client.do("POST", "/images/prune", {"filters": filters_of(wanted)})
    gone = found.get("ImagesDeleted") or ()
    _list("Deleted Images:", [f"{what.lower()}: {name}" for one in gone for what, name in one.items()])
    return int(found.get("SpaceReclaimed") or 0)


def _networks(session: Session, filters: tuple[str, ...]) -> None:
    found = session.client.do("POST", "/networks/prune", {"filters": filters_of(filters)})
    _list("Deleted Networks:", found.get("NetworksDeleted"))


def _volumes(session: Session, filters: tuple[str, ...], *, every: bool) -> int:
    wanted = (*filters, *(["all=true"] if every else []))
    found = session.client.do("POST", "/volumes/prune", {"filters": filters_of(wanted)})
    _list("Deleted Volumes:", found.get("VolumesDeleted"))
    return int(found.get("SpaceReclaimed") or 0)


def _list(title: str, names: Iterable[str] | None) -> None:
    names = list(names or ())
    if names:
        click.echo("\n".join([title, *names, ""]))


def _total(freed: int) -> None:
    click.echo(f"Total reclaimed space: {size(freed)}")
