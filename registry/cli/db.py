"""`moorage db`: the catalog's database, for whoever brings its schema up to date by hand or in a job."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from registry.cli import migrate
from registry.cli.common import FAILURE, Config, Data, Json, read_settings, say, stop
from registry.cli.output import print_json, print_row

if TYPE_CHECKING:
    from registry.catalog.engine import Database

app = typer.Typer(help="The database: see where its schema stands, bring it up to date, move it.", no_args_is_help=True)
app.command("migrate")(migrate.migrate)


@app.command()
def upgrade(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Bring the schema up to date. Safe to run in many places at once, and beside servers of the version before."""
    from registry.catalog import schema

    with _opened(config, data) as (database, lock):
        before = schema.current(database)
        upgraded = schema.upgrade(database, lock)
    if as_json:
        print_json({"from": before, "to": schema.HEAD, "upgraded": upgraded})
    elif upgraded:
        say(f"The database was {f'at schema {before}' if before else 'empty'} and is at {schema.HEAD} now.")
    else:
        say(f"The database is at schema {schema.HEAD} already.")


@app.command()
def status(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Tell which schema the database has, and which steps are missing; exits with 1 while some are."""
    from registry.catalog import schema

    with _opened(config, data) as (database, _):
        found = schema.status(database)
    row = {"current": found.current, "head": schema.HEAD, "pending": list(found.pending)}
    print_row(row, as_json=as_json)
    if found.pending:
        raise typer.Exit(FAILURE)


@contextmanager
def _opened(config: Path | None, data: Path | None) -> Iterator[tuple["Database", Path]]:
    """Give the database, and the file that guards a SQLite one; what goes wrong is told in a sentence."""
    settings, _ = read_settings(config, {"storage": {"path": data}} if data is not None else None)
    from registry.catalog.errors import CatalogUnavailable
    from registry.catalog.schema import SchemaError
    from registry.cli.administration import become_owner
    from registry.parts import direct_database, migration_lock
    from storage.errors import StorageError
    from storage.layout import Layout

    try:
        database = direct_database(settings)
        if database.is_sqlite:
            become_owner(settings.storage.path)
            Layout.open(settings.storage.path)
        try:
            yield database, migration_lock(settings)
        finally:
            database.close()
    except CatalogUnavailable as error:
        stop(f"the database cannot be used now: {error}")
    except (SchemaError, StorageError) as error:
        stop(str(error))
