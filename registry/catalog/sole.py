"""One server on a database whose blobs lie in files: a second one, on other files, would lose what the first one has.

SQLite needs none of this: its file lies in the data directory, which is locked. On PostgreSQL the right is a lock of a
session of its own, past any pooler, for as long as a process lives that inherited the connection (as with a lock on a
file). It guards a start, not a night: after a failover of the database nobody holds it until the next start.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from registry.catalog.engine import Database
from registry.catalog.errors import CatalogError
from registry.catalog.trouble import translated

LOCK = 0x736572766572
"""The lock's number: "server" in ASCII, which fits into the 32 + 32 bits that pg_locks shows."""
WAIT = 5.0
_PREPARE = (
    "SELECT set_config('application_name', :who, false), set_config('tcp_keepalives_idle', '10', false),"
    " set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)"
)
"""The keepalives let the database notice within half a minute that a machine has gone, and give the lock away."""
_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.classid = :high AND l.objid = :low AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class AlreadyServed(CatalogError):
    """Another server has the database; the message says what to do."""


@contextmanager
def sole(database: Database, who: str) -> Iterator[None]:
    """Be the only server on a database.

    Args:   database: past any pooler; who: this server, as the one who is refused will read it.
    Raises: AlreadyServed; CatalogUnavailable.
    """
    if database.is_sqlite:
        yield
        return
    with translated():
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with translated():
            connection.execute(text(_PREPARE), {"who": f"moorage serve on {who}"[:60]})
            _take(connection)
        yield
    finally:
        connection.invalidate()
        connection.close()


def _take(connection: Connection) -> None:
    """Wait a little, for a server that was just killed may not be known to be dead yet."""
    deadline = time.monotonic() + WAIT
    while not connection.execute(text("SELECT pg_try_advisory_lock(:number)"), {"number": LOCK}).scalar_one():
        if time.monotonic() > deadline:
            holder = connection.execute(text(_HOLDER), {"high": LOCK >> 32, "low": LOCK & 0xFFFFFFFF}).scalar()
            raise AlreadyServed(
                f"another server ({holder or 'it has just ended'}) is on this database, and keeps blobs in files of its"
                " own, which this one could not read. Stop it first, or give this server a database of its own:"
                " several servers on one database need a store that all of them reach"
            )
        time.sleep(0.25)
