"""`moorage gc`: collecting garbage now, beside a server that serves, or telling what there is."""

import sys
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.common import USAGE, Config, Data, Json, say, stop
from registry.cli.opening import administering
from registry.cli.output import print_json

if TYPE_CHECKING:
    from registry.cli.administration import Administration
    from registry.content.collector import Collector, Freed

SHORTEST = timedelta(hours=1)
PAUSE = 0.005
"""Seconds between two transactions, in which a waiting push gets the database."""

Once = Annotated[bool, typer.Option("--once", help="Collect once, here and now. The servers do it by themselves.")]
Grace = Annotated[str | None, typer.Option("--grace", metavar="TIME", help="Such as 24h; none: the setting gc.grace.")]
IKnow = Annotated[
    bool, typer.Option("--i-know", help="Allow a grace below 1h, which pushes that take longer may not survive.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be collected, and change nothing.")]


def gc(
    once: Once = False,
    grace: Grace = None,
    i_know: IKnow = False,
    dry_run: DryRun = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Free what no manifest names any more. Safe beside pushes, and at any time again."""
    if not once and not dry_run:
        stop("servers collect by themselves; --once does it now, --dry-run tells what there is", USAGE)
    with administering(config, data) as here:
        collector = _collector(here, grace, i_know=i_know)
        if dry_run:
            _tell_garbage(collector, as_json=as_json)
            return
        freed = collector.collect(here.origin, lambda _: time.sleep(PAUSE))
        removed = collector.remove_bytes(lambda: time.sleep(PAUSE))
        _tell_freed(freed, removed, as_json=as_json)


def _collector(here: "Administration", grace: str | None, *, i_know: bool) -> "Collector":
    from registry.cli.times import read_duration
    from registry.content.collector import Collector
    from registry.parts import stores_for, uploads_for

    chosen = here.settings.gc.grace if grace is None else read_duration(grace, "--grace")
    if chosen < SHORTEST and not i_know:
        stop("a grace below 1h takes blobs from pushes that are still under way; --i-know collects all the same", USAGE)
    uploads = uploads_for(here.settings, here.catalog, stores_for(here.settings))
    return Collector(here.catalog, here.audit, uploads, chosen)


def _tell_garbage(collector: "Collector", *, as_json: bool) -> None:
    blobs = size = 0
    for candidate in collector.garbage():
        blobs, size = blobs + 1, size + candidate.size
    if as_json:
        print_json({"dry_run": True, "blobs": blobs, "bytes": size})
        return
    print(f"{blobs} blobs with {size} bytes would be collected")


def _tell_freed(freed: "Freed", removed: int, *, as_json: bool) -> None:
    if as_json:
        by_repository = dict(sorted(freed.by_repository.items()))
        print_json({"blobs": freed.blobs, "bytes": freed.size, "keys_removed": removed, "repositories": by_repository})
        return
    _print_repositories(freed.by_repository.most_common())
    print(f"{freed.blobs} blobs with {freed.size} bytes are collected")
    if freed.blobs > removed and sys.stderr.isatty():
        say("The last bytes go when nobody can still be reading them: by the server, or by `moorage gc --once` again.")


def _print_repositories(rows: Iterable[tuple[str, int]]) -> None:
    for name, size in rows:
        print(f"{size:>16}  {name}")
