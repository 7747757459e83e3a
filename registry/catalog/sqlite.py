"""SQLite, set up so that an acknowledged commit survives a power cut and writers never deadlock.

It runs in WAL with synchronous=FULL: NORMAL lost every acknowledged commit at a simulated power cut. A writing
transaction starts with BEGIN IMMEDIATE, for a reader that becomes a writer fails at once whatever the timeout is.
"""

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

BUSY_TIMEOUT_MS = 10_000
WAL = "PRAGMA journal_mode = WAL"

PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -4000",
    "PRAGMA mmap_size = 67108864",
    "PRAGMA journal_size_limit = 67108864",
)


class Sqlite:
    """Transactions on SQLite. In one process writers queue here, fairly, instead of polling the file's lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads: one consistent picture."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[Connection]:
        """Open a transaction that may write."""
        level = "FULL" if durable else "NORMAL"
        with self._writer, self._engine.connect() as connection:
            raw = connection.connection.driver_connection
            raw.execute(f"PRAGMA synchronous = {level}")  # type: ignore[union-attr]  # sqlite3's own connection
            connection = connection.execution_options(moorage_immediate=True)
            with connection.begin():
                yield connection

    def clock(self) -> int:
        """Give the time of this machine, which is the only one, in microseconds since 1970, UTC."""
        return time.time_ns() // 1000


def sqlite_engine(url: URL, *, pool_size: int) -> Engine:
    """Make the engine; opens nothing yet."""
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,
        pool_reset_on_return="rollback",  # a COMMIT that fails can leave its transaction, and the write lock, behind
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    _enter_wal(connection)
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Ask again while others do the same on a new file: there SQLite says "locked" at once, whatever the timeout is.

    Both hold the file's shared lock and want the exclusive one, which no waiting would give to either of them.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute(WAL)
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(random.SystemRandom().uniform(0.001, 0.02))  # so that they do not meet again


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("moorage_immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
