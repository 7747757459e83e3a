"""From a driver's exceptions to our own, so that no caller needs to know which database there is.

SQLite is told by its text, PostgreSQL by the SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InvalidRequestError,
    OperationalError,
    TimeoutError,
)

from registry.catalog.errors import MOVED, CatalogFull, CatalogMoved, CatalogUnavailable, Conflict

FULL = frozenset({"53100"})
OVERTAKEN = frozenset({"23503", "23505"})
"""A row that this one needs went, or one like it came, while the transaction ran."""
PASSING = ("08", "53", "57", "58", "40", "55P03", "25006", "25P03", "42501", "42P01", "42703", "XX")
"""Connections, resources, shutdown and timeouts, the system, deadlocks, locks, a standby, an idle end, rights or a
schema that somebody took away, damage."""
DRIVER_GAVE_UP = "This connection is closed"


@contextmanager
def translated() -> Iterator[None]:
    """Turn trouble with the database itself into our own exceptions; a mistake in a statement stays what it is."""
    try:
        yield
    except sqlite3.OperationalError as error:  # of a statement that went past SQLAlchemy
        raise CatalogUnavailable(str(error)) from error
    except DatabaseError as error:
        state = sqlstate(error)
        _raise_known(error, state) if state else _raise_nameless(error)
        raise
    except (InterfaceError, TimeoutError) as error:
        raise CatalogUnavailable(_text(error)) from error
    except InvalidRequestError as error:
        if DRIVER_GAVE_UP in str(error):
            raise CatalogUnavailable("the database closes every connection at once") from error
        raise


def sqlstate(error: DBAPIError) -> str:
    """Give what PostgreSQL calls an error; empty where it never came to that, and on SQLite."""
    return getattr(error.orig, "sqlstate", None) or ""


def _raise_known(error: DatabaseError, state: str) -> None:
    if state in FULL:
        raise CatalogFull(_text(error)) from error
    if state in OVERTAKEN and isinstance(error, IntegrityError):
        raise Conflict(_text(error)) from error
    if state.startswith(PASSING) or isinstance(error, OperationalError):
        raise CatalogUnavailable(_text(error)) from error


def _raise_nameless(error: DatabaseError) -> None:
    if _text(error) == MOVED:
        raise CatalogMoved(f"{MOVED}: start the server with database.url") from error
    # SQLite calls a damaged file a DatabaseError, and nothing more precise.
    if type(error) not in (DatabaseError, OperationalError):
        return
    if "disk is full" in _text(error):
        raise CatalogFull(_text(error)) from error
    raise CatalogUnavailable(_text(error)) from error


def _text(error: Exception) -> str:
    """Say it in one line: PostgreSQL's own texts go on with details and hints."""
    return str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
