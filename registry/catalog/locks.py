"""What a transaction decides on, it locks (design: "Locks"). On SQLite, BEGIN IMMEDIATE has done that already.

Everybody locks in one order, so that no two transactions wait for each other in a ring: blobs by digest, then
manifests, then tags by name. Rows are locked by the statements that read them; here is what there is no row for yet.
"""

import hashlib

from sqlalchemy import BigInteger, Connection, bindparam, func, select

_alone = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))


def locks_rows(connection: Connection) -> bool:
    """Tell whether transactions run side by side, and so have to lock what they decide on."""
    return connection.dialect.name != "sqlite"


def alone(connection: Connection, *what: str) -> None:
    """Wait until no other transaction is about the same thing, and let none begin with it until commit.

    Two things may share a number, and then wait for each other without need.
    """
    if locks_rows(connection):
        number = int.from_bytes(hashlib.sha256("\0".join(what).encode()).digest()[:8], "big", signed=True)
        connection.execute(_alone, {"number": number})
