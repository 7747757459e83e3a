"""Database engines, set up so that an acknowledged commit survives a power cut and writers never deadlock.

SQLite runs in WAL with synchronous=FULL: NORMAL lost every acknowledged commit at a simulated power cut. A writing
transaction starts with BEGIN IMMEDIATE, for a reader that becomes a writer fails at once whatever the timeout is.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import QueuePool

BUSY_TIMEOUT_MS = 10_000

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -4000",
    "PRAGMA mmap_size = 67108864",
    "PRAGMA journal_size_limit = 67108864",
)


class Database:
    """One database: how to begin a reading and a writing transaction on it.

    In one process SQLite writers queue here, fairly, instead of polling the file's lock.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.path = Path(engine.url.database) if self.is_sqlite and engine.url.database else None
        self._writer = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads: one consistent picture."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """Open a transaction that may write; it commits when the block ends well, else rolls back.

        Args: durable: False where a power cut may undo it (never a crash of the server): it waits for no disk.
        """
        if not self.is_sqlite:
            with self.engine.begin() as connection:
                yield connection
            return
        level = "FULL" if durable else "NORMAL"
        with self._writer, self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            raw.execute(f"PRAGMA synchronous = {level}")  # type: ignore[union-attr]  # sqlite3's own connection
            connection = connection.execution_options(moorage_immediate=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def connect(url: str, *, pool_size: int) -> Database:
    """Make the database for a SQLAlchemy URL; `sqlite:///path` or `postgresql+psycopg://…`. Opens nothing yet."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return Database(create_engine(parsed, pool_size=pool_size, max_overflow=0, pool_pre_ping=True))
    engine = create_engine(
        parsed,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,
        pool_reset_on_return="rollback",  # a COMMIT that fails can leave its transaction, and the write lock, behind
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("moorage_immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


Clock = Callable[[], int]
"""Gives the time in microseconds since 1970, UTC."""
