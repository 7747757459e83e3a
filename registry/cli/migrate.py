"""`moorage db migrate`: the catalog from SQLite to PostgreSQL, while the server serves."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from registry.cli.common import USAGE, Config, Data, Json, read_settings, say, stop
from registry.cli.output import print_json

if TYPE_CHECKING:
    from registry.catalog.engine import Database
    from registry.catalog.moving.move import Moved
    from registry.settings import Settings

EVERY = 1.0
"""Seconds between two lines about one table."""
READABLE_BY_ALL = (
    "A password on the command line can be read by whoever lists this machine's processes;"
    " --to-file and PGPASSWORD keep it to yourself."
)
NEXT = """
The server that runs still answers pulls, and pushes with 503, which clients try again. Stop it, and start it with
this in its moorage.toml and all else as it was:

[database]
url = "{url}"
{hidden}
Blobs, audit.jsonl and {key} stay where they are. The signing keys have moved, still sealed by that master key: a server
on another machine needs it too.
If the server does not come up on PostgreSQL: `moorage db migrate --reopen` with the same --to goes back to SQLite."""
HIDDEN = "# *** stands for the password; MOORAGE_DATABASE__URL_FILE may name a file that holds the address instead\n"

To = Annotated[str | None, typer.Option("--to", metavar="URL", help="The address: postgresql://user@host/name.")]
ToFile = Annotated[Path | None, typer.Option("--to-file", metavar="FILE", help="A file that holds the address.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what there is to move, and whether it can be.")]
Reopen = Annotated[bool, typer.Option("--reopen", help="Go back: let the SQLite catalog be written again.")]


def migrate(
    to: To = None,
    to_file: ToFile = None,
    dry_run: DryRun = False,
    reopen: Reopen = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Move the catalog from SQLite to PostgreSQL while the server serves. Run it again after any interruption."""
    url = _address(to, to_file)
    settings, _ = read_settings(config, {"storage": {"path": data}} if data is not None else None)
    if url is None and not reopen:
        stop("where to? Give --to postgresql://user@host/name, or --to-file with a file that holds it", USAGE)
    with _opened(settings, url) as (source, target):
        if to is not None and target is not None and target.engine.url.password:
            say(READABLE_BY_ALL)
        if reopen:
            _reopen(source, target, as_json=as_json)
        elif target is not None:
            _move(source, target, settings, as_json=as_json, dry_run=dry_run)


def _move(source: "Database", target: "Database", settings: "Settings", *, as_json: bool, dry_run: bool) -> None:
    from registry.catalog.moving.move import Move

    move = Move(source, target, Lines().show)
    moved = move.look() if dry_run else move.run()
    state = "already moved" if moved.already else "can be moved" if dry_run else "moved"
    if as_json:
        print_json(_document(moved, state))
    elif moved.already:
        say(f"The catalog has moved to {moved.target} already.")
    elif dry_run:
        for table, rows in moved.rows.items():
            print(f"{rows:>10}  {table}")
        say(f"{sum(moved.rows.values())} rows can be moved to {moved.target}. Nothing was changed.")
    else:
        _tell_moved(moved)
    if not dry_run and not as_json:
        _tell_next(settings, target)


def _tell_moved(moved: "Moved") -> None:
    say(
        f"The catalog has moved to {moved.target}: {sum(moved.rows.values())} rows in {len(moved.rows)} tables, each"
        f" read back and compared. Pushes had to wait for {moved.waited:.1f} s; pulls did not."
    )


def _tell_next(settings: "Settings", target: "Database") -> None:
    url = target.engine.url.set(drivername="postgresql")
    key = "secrets.master_key" if settings.secrets.master_key else str(settings.storage.path / "master.key")
    shown = url.render_as_string(hide_password=True)
    say(NEXT.format(url=shown, hidden=HIDDEN if url.password else "", key=key))


def _document(moved: "Moved", state: str) -> dict[str, object]:
    return {
        "state": state,
        "target": moved.target,
        "rows": moved.rows,
        "rounds": moved.rounds,
        "copied": moved.copied,
        "writers_waited_seconds": round(moved.waited, 3),
    }


def _reopen(source: "Database", target: "Database | None", *, as_json: bool) -> None:
    from registry.catalog.moving.move import Move, reopen

    if target is not None:
        Move(source, target, Lines().show).reopen()
        told = "PostgreSQL has nothing that is not here, and no server starts on it any more."
    elif reopen(source):
        told = "What was written to PostgreSQL since the move, if anything was, is not here: drop that database."
    else:
        stop("the SQLite catalog is not sealed; there is nothing to undo")
    if as_json:
        print_json({"state": "reopened"})
    else:
        say(f"The SQLite catalog takes changes again. {told}")


class Lines:
    """Progress as lines on standard error: one for each table that is done, and one a second in between."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def show(self, going_on: str, table: str, looked_at: int, of: int) -> None:
        """Tell how far a table is."""
        now = self._clock()
        if looked_at >= of or now - self._last >= EVERY:
            self._last = now
            percent = min(100, 100 * looked_at // of) if of else 100
            print(f"{going_on}: {table}, {looked_at} rows, {percent} %", file=sys.stderr, flush=True)


def _address(to: str | None, to_file: Path | None) -> str | None:
    """Give the target's address, as whoever runs the command may read it."""
    if to is not None and to_file is not None:
        stop("give --to or --to-file, not both", USAGE)
    if to_file is None:
        return to
    try:
        return to_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        stop(f"the target's address cannot be read: {error}", USAGE)


@contextmanager
def _opened(settings: "Settings", url: str | None) -> Iterator[tuple["Database", "Database | None"]]:
    """Give the SQLite catalog and the target; what goes wrong is told in a sentence."""
    from registry.catalog.errors import CatalogUnavailable
    from registry.catalog.moving.errors import MoveError
    from registry.catalog.schema import SchemaError
    from registry.cli.administration import become_owner
    from registry.parts import direct_database, moving_target
    from storage.errors import StorageError
    from storage.layout import Layout

    try:
        source = direct_database(settings)
        target = moving_target(url) if url is not None else None
        become_owner(settings.storage.path)
        Layout.open(settings.storage.path)
        try:
            yield source, target
        finally:
            for database in (source, target):
                if database is not None:
                    database.close()
    except CatalogUnavailable as error:
        _interrupted(f"a database cannot be used now: {error}")
    except (MoveError, SchemaError, StorageError) as error:
        stop(str(error))


def _interrupted(message: str) -> NoReturn:
    stop(f"{message}. Nothing is lost: run the same command again, and it goes on")
