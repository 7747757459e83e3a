"""Bringing the database's schema to what the code expects, by one process while the others wait.

A look without a lock comes first, for at nearly every start there is nothing to do; Alembic is imported only where
there is. A database that a newer Moorage has touched is refused in words, never guessed at.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import inspect, text

from registry.catalog.catalog import translated
from registry.catalog.engine import Database

HEAD = "0002"
KNOWN = ("0001", "0002")
LOCK_WAIT = 60.0


class SchemaError(Exception):
    """The database cannot be used as it is; the message says what to do."""


def current(database: Database) -> str | None:
    """Tell which step the database is at; None: it is empty. Raises CatalogUnavailable."""
    with translated(), database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def upgrade(database: Database, lock_file: Path) -> bool:
    """Apply the missing steps, if any; tells whether there were some.

    Raises: SchemaError if the database is newer than the code, or another process holds the lock for too long;
            CatalogUnavailable.
    """
    if _at_head(database):
        return False
    with _locked(lock_file):
        if _at_head(database):
            return False
        _run(database)
    return True


def check(database: Database) -> None:
    """See that the database is not newer than the code. Raises SchemaError."""
    _at_head(database)


def _at_head(database: Database) -> bool:
    found = current(database)
    if found is not None and found not in KNOWN:
        raise SchemaError(
            f"the database is at schema {found}, which this version of Moorage does not know (it knows up to {HEAD}):"
            " a newer Moorage has upgraded it. Start that version, or restore a backup made before the upgrade."
        )
    return found == HEAD


def _run(database: Database) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "migrations:")
    with translated(), database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        deadline = time.monotonic() + LOCK_WAIT
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise SchemaError(f"another process has been upgrading the database for {LOCK_WAIT:.0f} s ({path})")
            time.sleep(0.05)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
