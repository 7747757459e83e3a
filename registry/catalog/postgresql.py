"""PostgreSQL by psycopg, in ways that a pooler which gives out connections by transaction (PgBouncer) allows.

No prepared statements, no settings of a session, no LISTEN: what a transaction wants set, it sets for itself, in the
one statement that also asks for the time. Writers run at READ COMMITTED and lock what they decide on; readers see one
picture. Times are the database's, so that replicas whose clocks differ agree on leases and windows.
"""

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError

from registry.catalog.errors import OutcomeUnknown

POOL_WAIT = 5.0
CONNECTION_AGE = 1800
ARGUMENTS: dict[str, str | int | None] = {
    "application_name": "moorage",
    "client_encoding": "utf8",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's own, in seconds and, the last, milliseconds: a network that swallows packets is noticed in ten seconds. Text
is UTF-8 whatever the database is in: of one in SQL_ASCII psycopg would give bytes."""

NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_OPEN = text(
    "SELECT set_config('lock_timeout', '4s', true), set_config('statement_timeout', '8s', true),"
    " set_config('idle_in_transaction_session_timeout', '60s', true),"
    f" set_config('synchronous_commit', :synchronous, true), {NOW}"
)
"""A request is answered within ten seconds, and whoever vanished holds its locks for a minute at most."""


class Postgresql:
    """Transactions on PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._ahead = 0
        event.listen(engine, "connect", self._measure)
        event.listen(engine, "checkout", _see_alive)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads: one consistent picture."""
        with self._readers.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[Connection]:
        """Open a transaction that may write. Raises OutcomeUnknown where the connection broke in the COMMIT."""
        with self._engine.connect() as connection:
            transaction = connection.begin()
            try:
                asked = _local()
                row = connection.execute(_OPEN, {"synchronous": "on" if durable else "off"}).one()
                self._ahead = row[-1] - (asked + _local()) // 2
                yield connection
            except BaseException:
                transaction.rollback()
                raise
            try:
                transaction.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise OutcomeUnknown(f"the connection broke during a COMMIT: {error.orig}") from error
                raise

    def clock(self) -> int:
        """Give the database's time in microseconds since 1970, UTC, as it was learned with the last transaction."""
        return _local() + self._ahead

    def _measure(self, raw: Any, _record: object) -> None:
        asked = _local()
        told = raw.execute(f"SELECT {NOW}").fetchone()[0]
        raw.rollback()
        self._ahead = told - (asked + _local()) // 2


def postgresql_engine(url: URL, *, pool_size: int, prompt: bool = False) -> Engine:
    """Make the engine; opens nothing yet. Raises ModuleNotFoundError where psycopg is missing.

    Args: prompt: give up a question that gets no answer, as a server for requests has to, and a migration must not.
    """
    own = {name: value for name, value in ARGUMENTS.items() if name not in url.query}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",
        use_native_hstore=False,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT,
        pool_recycle=CONNECTION_AGE,
        pool_use_lifo=True,
        connect_args={"prepare_threshold": None, **own},
    )
    if prompt:
        event.listen(engine, "do_connect", _promptly)
    return engine


def _promptly(_dialect: object, _record: object, arguments: Any, named: Any) -> Any:
    from registry.catalog.answers import PromptConnection

    return PromptConnection.connect(*arguments, **named)


def _see_alive(raw: Any, _record: object, _proxy: object) -> None:
    """Refuse a pooled connection that the server has closed: then something, at least the end, waits to be read.

    Asks this machine only, where a ping would ask the database (measured: 2 µs, not a round trip).
    """
    if raw.closed or _readable(raw.fileno()):
        raise DisconnectionError("the database has closed this connection")


def _readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _local() -> int:
    return time.time_ns() // 1000
