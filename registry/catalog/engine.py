"""The database behind the catalog: which kind it is, and how to begin a reading and a writing transaction on it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from registry.catalog.errors import CatalogUnavailable
from registry.catalog.sqlite import Sqlite, sqlite_engine

Clock = Callable[[], int]
"""Gives the time in microseconds since 1970, UTC."""


class Transactions(Protocol):
    """How one kind of database begins a transaction."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a transaction that only reads: one consistent picture."""
        ...

    def writing(self, *, durable: bool) -> AbstractContextManager[Connection]:
        """Open a transaction that may write; it commits when the block ends well, else rolls back."""
        ...

    def clock(self) -> int:
        """Give the time that all who use the database agree on, in microseconds since 1970, UTC."""
        ...


class Database:
    """One database."""

    def __init__(self, engine: Engine, transactions: Transactions) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.path = Path(engine.url.database) if self.is_sqlite and engine.url.database else None
        self.clock: Clock = transactions.clock
        self.reading = transactions.reading
        self._transactions = transactions

    def writing(self, *, durable: bool = True) -> AbstractContextManager[Connection]:
        """Open a transaction that may write; it commits when the block ends well, else rolls back.

        Args: durable: False where a power cut may undo it (never a crash of the server): it waits for no disk.
        """
        return self._transactions.writing(durable=durable)

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def connect(url: str, *, pool_size: int, prompt: bool = False) -> Database:
    """Make the database for an address; `sqlite:///path` or `postgresql://…`. Opens nothing yet.

    Args:   prompt: give up a question to PostgreSQL that gets no answer in nine seconds, for somebody waits for it.
    Raises: CatalogUnavailable for an address that is none, another kind of database, or one whose driver is missing.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise CatalogUnavailable("the database's address is none; it is like postgresql://user@host/name") from None
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        engine = sqlite_engine(parsed, pool_size=pool_size)
        return Database(engine, Sqlite(engine))
    if kind not in ("postgresql", "postgres"):
        raise CatalogUnavailable(f"the database is SQLite or PostgreSQL; {kind} is neither")
    try:
        from registry.catalog.postgresql import Postgresql, postgresql_engine

        engine = postgresql_engine(parsed, pool_size=pool_size, prompt=prompt)
    except ModuleNotFoundError as error:
        raise CatalogUnavailable(
            f"PostgreSQL's driver is not installed ({error}): pip install 'moorage[postgres]'"
        ) from error
    return Database(engine, Postgresql(engine))
