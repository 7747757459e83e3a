"""What a transaction decides on, it locks (design: "Locks"). On SQLite, BEGIN IMMEDIATE has done that already.

Everybody locks in one order, so that no two transactions wait for each other in a ring: blobs by digest, then
manifests, then tags by name. Rows are locked by the statements that read them; here is what there is no row for yet.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, Select, bindparam, func, select

from registry.catalog.trouble import translated

_alone = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))

_try = select(func.pg_try_advisory_lock(bindparam("number", type_=BigInteger)))


def locks_rows(connection: Connection) -> bool:
    """Tell whether transactions run side by side, and so have to lock what they decide on."""
    return connection.dialect.name != "sqlite"


def held(connection: Connection, query: Select[*tuple[Any, ...]], parameters: Mapping[str, object]) -> bool:
    """Lock the rows that a query gives until commit; tells whether there are some. Where nobody locks: True."""
    return not locks_rows(connection) or connection.execute(query, parameters).first() is not None


def alone(connection: Connection, *what: str) -> None:
    """Wait until no other transaction is about the same thing, and let none begin with it until commit.

    Two things may share a number, and then wait for each other without need.
    """
    if locks_rows(connection):
        number = int.from_bytes(hashlib.sha256("\0".join(what).encode()).digest()[:8], "big", signed=True)
        connection.execute(_alone, {"number": number})


@contextmanager
def session_locked(engine: Engine, number: int, wait: Callable[[Callable[[], bool]], None]) -> Iterator[None]:
    """Hold one of PostgreSQL's locks on a connection that is closed afterwards, whatever happened: that lets it go.

    Args: engine: past any pooler; wait: returns once what it is given is true, or raises.
    """
    with translated(), engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            wait(lambda: bool(connection.execute(_try, {"number": number}).scalar_one()))
            yield
        finally:
            connection.invalidate()
