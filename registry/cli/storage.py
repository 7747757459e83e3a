"""`moorage storage`: moving all blobs from files to S3, or back, while the server serves."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.common import FAILURE, Config, Data, Json, say, stop
from registry.cli.opening import administering
from registry.cli.output import print_json

if TYPE_CHECKING:
    from registry.catalog.placement import Holding
    from registry.content.moving import Progress, Result
    from registry.settings import Settings

INTERRUPTED = 130
LINE_EVERY = 10.0
"""Seconds between two lines of progress, where nobody watches a terminal."""

app = typer.Typer(help="Where blobs are: move them from files to S3, or back.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what there is to move, and change nothing.")]
Rate = Annotated[
    int | None,
    typer.Option("--rate", metavar="BYTES", min=65536, help="Read no more bytes a second, in both stores together."),
]
Parallel = Annotated[int, typer.Option("--parallel", metavar="N", min=1, max=64, help="Blobs at a time.")]
NoReadBack = Annotated[
    bool, typer.Option("--no-read-back", help="Do not read each copy again; it was hashed on its way.")
]


@app.callback()
def _group() -> None:
    """Where blobs are: move them from files to S3, or back."""


@app.command()
def migrate(
    config: Config = None,
    data: Data = None,
    dry_run: DryRun = False,
    rate: Rate = None,
    parallel: Parallel = 4,
    no_read_back: NoReadBack = False,
    as_json: Json = False,
) -> None:
    """Move all blobs from storage.former to storage.driver. Can be stopped, and run again, at any time."""
    with administering(config, data) as administration:
        from registry.cli.moving import permitted, planned
        from registry.content.moving import Manner

        moving = planned(administration, Manner(parallel, rate, not no_read_back))
        if dry_run:
            _tell_plan(administration.settings, moving.survey(), as_json=as_json)
            return
        try:
            with permitted(administration):
                result = moving.run(administration.origin, _reporter())
        except KeyboardInterrupt:
            stop("stopped; what was moved stays moved: run the same command again to go on", INTERRUPTED)
        _tell(administration.settings, result, as_json=as_json)


def _reporter() -> Callable[["Progress"], None]:
    """Give what writes progress: each time over the last on a terminal, else a line now and then."""
    live = sys.stderr.isatty()
    last = [time.monotonic()]

    def report(progress: "Progress") -> None:
        if live:
            print(f"\r{progress_line(progress)}\x1b[K", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - last[0] >= LINE_EVERY:
            last[0] = time.monotonic()
            say(progress_line(progress))

    return report


def progress_line(progress: "Progress") -> str:
    """Write how far a move is, how fast, and how long it may take."""
    rate = progress.bytes / progress.seconds if progress.seconds else 0.0
    ahead = max(progress.of.bytes - progress.bytes, 0)
    eta = f", {_span(ahead / rate)} to go" if rate and ahead else ""
    return (
        f"{progress.blobs:,} of {progress.of.blobs:,} blobs, {_size(progress.bytes)} of {_size(progress.of.bytes)},"
        f" {_size(rate)}/s{eta}"
    )


def _tell_plan(settings: "Settings", holding: "Holding", *, as_json: bool) -> None:
    former, driver = settings.storage.former, settings.storage.driver
    if as_json:
        print_json({"former": former, "driver": driver, "left": asdict(holding)})
        return
    say(f"Would move {holding.blobs:,} blobs, {_size(holding.bytes)}, from {former} to {driver}.")


def _tell(settings: "Settings", result: "Result", *, as_json: bool) -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
    former, driver = settings.storage.former or "", settings.storage.driver
    if as_json:
        print_json(_document(former, driver, result))
    for failure in result.failures:
        say(f"moorage: {failure.digest} stays in {former}, {failure.key}: {failure.reason}")
    say(f"Moved {result.moved:,} blobs, {_size(result.bytes)}, from {former} to {driver}.")
    say(_next(former, result))
    if result.left.blobs or result.stopped:
        raise typer.Exit(FAILURE)


def _document(former: str, driver: str, result: "Result") -> dict[str, object]:
    failed = [{"digest": str(f.digest), "key": f.key, "reason": f.reason} for f in result.failures]
    return {
        "former": former,
        "driver": driver,
        "moved": result.moved,
        "bytes": result.bytes,
        "failed": failed,
        "stopped": result.stopped,
        "left": asdict(result.left),
        "finished": result.left.nothing,
    }


def _next(former: str, result: "Result") -> str:
    """Say what to do now."""
    from registry.content.stores import count, rest

    left = result.left
    if result.stopped is not None:
        return f"Stopped: {result.stopped}. {count(left.blobs, 'blob')} to go: run the same command again."
    if result.failures:
        return (
            f"{count(left.blobs, 'blob')} stayed in {former}. Push an image that has a damaged blob again, which heals"
            " it, or delete what names it; then run the same command again."
        )
    if left.blobs:
        return f"{count(left.blobs, 'blob')} came to {former} meanwhile: run the same command again."
    if not left.nothing:
        return (
            f"No blob is left in {former}, but {rest(former, left)}. Uploads end by themselves, after uploads.expiry at"
            " the latest; keys are deleted within an hour, by the server or by this command. Leave storage.former as it"
            " is, and run the same command again then."
        )
    return f"Nothing is left in {former}: take storage.former out of the settings and restart the server."


def _size(count: float) -> str:
    """Write a number of bytes."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"


def _span(seconds: float) -> str:
    """Write a time as hours, minutes and seconds."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"
