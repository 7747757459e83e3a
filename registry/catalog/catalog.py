"""The catalog's front door: transactions, whose attributes are the nouns.

`begin` may write and commits when its block ends well; `read` sees one consistent picture. Trouble with the
database itself leaves as CatalogUnavailable or CatalogFull, so that no caller needs to know a driver's exceptions.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from registry.catalog.engine import Clock, Database
from registry.catalog.transaction import Transaction
from registry.catalog.trouble import translated

__all__ = ["Catalog", "Transaction", "system_clock", "translated"]


def system_clock() -> int:
    """Give the time of this machine in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class Catalog:
    """All that the server knows, but for the blobs' bytes. Its time is the database's, unless a clock is given."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self.database = database
        self.clock = clock or database.clock

    @contextmanager
    def begin(self, *, durable: bool = True) -> Iterator[Transaction]:
        """Open a transaction that may write.

        Args:   durable: False only for what a client can lose at a power cut without noticing, such as a new session.
        Raises: CatalogUnavailable or CatalogFull, also when it commits; OutcomeUnknown, which is a CatalogUnavailable
                too, where nobody can tell whether it did; Conflict where somebody else was quicker.
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
