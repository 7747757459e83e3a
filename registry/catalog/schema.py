"""Bringing the database's schema to what the code expects, by one process while the others wait.

A look without a lock comes first, for at nearly every start there is nothing to do; Alembic is imported only where
there is. A database that a newer Moorage has touched, or that is half done, is refused in words, never guessed at.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect, text

from registry.catalog.engine import Database
from registry.catalog.exclusive import try_lock
from registry.catalog.locks import session_locked
from registry.catalog.moving.seal import memory, sealed
from registry.catalog.tables import metadata
from registry.catalog.trouble import translated

HEAD = "0003"
KNOWN = ("0001", "0002", "0003")
MOVING = "moving"
"""In place of a step: the database is being filled by `moorage db migrate`, and no version may start on it."""
LOCK_WAIT = 60.0
ADVISORY_LOCK = 0x6D6F6F72616765
"""PostgreSQL's lock for whoever upgrades: "moorage" in ASCII."""
LONG_TIMES = (
    "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '10s', true),"
    " set_config('idle_in_transaction_session_timeout', '0', true)"
)
"""A step may take long, but waits for a table only so long: behind it every reader of that table would wait."""


class SchemaError(Exception):
    """The database cannot be used as it is; the message says what to do."""


_MAY_WRITE = text("SELECT pg_is_in_recovery(), has_schema_privilege(current_schema(), 'CREATE'), current_user")
"""Nothing where the user sees no schema at all."""


@dataclass(frozen=True, slots=True)
class Status:
    """Which step the database is at, None where it is empty, and the steps that are missing."""

    current: str | None
    pending: tuple[str, ...]


def current(database: Database) -> str | None:
    """Tell which step the database is at; None: it is empty. Raises SchemaError, CatalogUnavailable."""
    with translated(), database.reading() as connection:
        tables = inspect(connection)
        named = tables.has_table("alembic_version")
        found = list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars()) if named else []
        leftover = [] if found else sorted(metadata.tables.keys() & set(tables.get_table_names()))
    if leftover or len(found) > 1:
        what = f"it has the table {leftover[0]}" if leftover else f"it names the steps {', '.join(sorted(found))}"
        raise SchemaError(
            f"the database was left half done, or is another program's: {what}, but no one step that it is at."
            " Restore a backup, or give Moorage an empty database."
        )
    return found[0] if found else None


def status(database: Database) -> Status:
    """Tell what there is to do.

    Raises: CatalogUnavailable; SchemaError if the database is newer, half done, half moved, or has moved elsewhere.
    """
    found = standing(database)
    if database.is_sqlite:
        _refuse_sealed(database)
    return found


def standing(database: Database) -> Status:
    """Tell what there is to do, also of a SQLite catalog that has moved elsewhere. Raises as `status` does."""
    found = current(database)
    if found == MOVING:
        raise SchemaError(
            "the database is half moved: a catalog is being copied into it from SQLite. Run `moorage db migrate` again,"
            " which goes on where it was, or drop the database"
        )
    if found is not None and found not in KNOWN:
        raise SchemaError(
            f"the database is at schema {found}, which this version of Moorage does not know (it knows up to {HEAD}):"
            " a newer Moorage has upgraded it. Start that version, or restore a backup made before the upgrade."
        )
    return Status(found, KNOWN if found is None else KNOWN[KNOWN.index(found) + 1 :])


def _refuse_sealed(database: Database) -> None:
    with translated(), database.reading() as connection:
        if not sealed(connection):
            return
        found = memory(connection)
    raise SchemaError(
        f"this SQLite catalog has moved to PostgreSQL ({found.target if found else 'nobody wrote down where'}) and"
        " takes no more changes: set database.url to that. To come back to SQLite while nothing has been written there"
        " yet: `moorage db migrate --reopen`"
    )


def upgrade(database: Database, lock_file: Path) -> bool:
    """Apply the missing steps, if any; tells whether there were some.

    Args:   database: past any pooler, for PostgreSQL's lock belongs to a session; lock_file: SQLite's lock.
    Raises: SchemaError if the database is newer than the code or half done, or another process holds the lock for too
            long; CatalogUnavailable.
    """
    if not _writable(database).pending:
        return False
    with _file_locked(lock_file) if database.is_sqlite else _session_locked(database):
        if not status(database).pending:
            return False
        _run(database)
    return True


def check(database: Database) -> None:
    """See that the database is not newer than the code, and takes writes. Raises SchemaError, CatalogUnavailable."""
    _writable(database)


def require_head(database: Database) -> None:
    """See that there is nothing to do. Raises SchemaError, CatalogUnavailable."""
    found = _writable(database)
    if found.pending:
        where = f"at schema {found.current}" if found.current else "empty"
        raise SchemaError(
            f"the database is {where}, this version of Moorage needs {HEAD}, and"
            " database.auto_migrate is off. Run `moorage db upgrade` with the same settings first."
        )


def _writable(database: Database) -> Status:
    """Give the status of a database that can be written to. Raises SchemaError, CatalogUnavailable."""
    found = status(database)
    if database.is_sqlite:
        return found
    with translated(), database.reading() as connection:
        standby, may_create, user = connection.execute(_MAY_WRITE).one()
    if standby:
        raise SchemaError("the database is a standby, which takes no writes: name the primary in its address")
    if found.pending and not may_create:
        raise SchemaError(
            f"the database's user {user} may not make tables: GRANT CREATE, USAGE ON SCHEMA public TO {user}, or let"
            " somebody who may run `moorage db upgrade`"
        )
    return found


def _run(database: Database) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "migrations:")
    with translated(), database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text(LONG_TIMES))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _file_locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        _wait_for(lambda: try_lock(file.fileno()), str(path))
        yield


def _session_locked(database: Database) -> AbstractContextManager[None]:
    return session_locked(database.engine, ADVISORY_LOCK, lambda locked: _wait_for(locked, "an advisory lock"))


def _wait_for(locked: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    while not locked():
        if time.monotonic() > deadline:
            raise SchemaError(f"another process has been upgrading the database for {LOCK_WAIT:.0f} s ({what})")
        time.sleep(0.1)
