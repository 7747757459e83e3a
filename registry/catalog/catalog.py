"""The catalog's front door: transactions, whose attributes are the nouns.

`begin` may write and commits when its block ends well; `read` sees one consistent picture. Trouble with the
database itself leaves as CatalogUnavailable or CatalogFull, so that no caller needs to know a driver's exceptions.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError, TimeoutError

from registry.catalog.engine import Clock, Database
from registry.catalog.errors import CatalogFull, CatalogUnavailable
from registry.catalog.transaction import Transaction

__all__ = ["Catalog", "Transaction", "system_clock", "translated"]


def system_clock() -> int:
    """Give the time in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class Catalog:
    """All that the server knows, but for the blobs' bytes."""

    def __init__(self, database: Database, clock: Clock = system_clock) -> None:
        self.database = database
        self.clock = clock

    @contextmanager
    def begin(self, *, durable: bool = True) -> Iterator[Transaction]:
        """Open a transaction that may write. Raises CatalogUnavailable or CatalogFull, also when it commits.

        Args: durable: False only for what a client can lose at a power cut without noticing, such as a new session.
        """
        with translated(), self.database.writing(durable=durable) as connection:
            yield Transaction(connection, self.clock())

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that only reads. Raises CatalogUnavailable."""
        with translated(), self.database.reading() as connection:
            yield Transaction(connection, self.clock())

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()


@contextmanager
def translated() -> Iterator[None]:
    """Turn trouble with the database itself into our own exceptions; a mistake in a statement stays what it is."""
    try:
        yield
    except sqlite3.OperationalError as error:  # of a statement that went past SQLAlchemy
        raise CatalogUnavailable(str(error)) from error
    except (DatabaseError, InterfaceError, TimeoutError) as error:
        # SQLite calls a damaged file a DatabaseError, and nothing more precise.
        if isinstance(error, DatabaseError) and type(error) not in (DatabaseError, OperationalError):
            raise
        text = str(error.orig if isinstance(error, DBAPIError) else error)
        if "disk is full" in text:
            raise CatalogFull(text) from error
        raise CatalogUnavailable(text) from error
