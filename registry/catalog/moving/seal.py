"""The seal on a SQLite catalog that has moved: triggers that refuse every write, by whatever process.

It is put on in the transaction that saw the last difference gone, so nothing can be acknowledged here that is not
there. A server that runs goes on reading; it needs no word of the move. Beside the seal, a table of one row remembers
which catalog this is, so that a target knows its source again.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, text

from registry.catalog.errors import MOVED

MEMORY = "catalog_move"
_PREFIX = "sealed_"
_TABLES = f"""
    SELECT name FROM sqlite_master
    WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '{MEMORY}' ORDER BY name
"""  # noqa: S608  # a constant
_SEALS = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'sealed\\_%' ESCAPE '\\' ORDER BY name"
_HAS_MEMORY = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = :name"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a SQLite catalog remembers of its move: its own name, which is random, and where to it was sealed for."""

    source: str
    target: str | None = None


def sealed(connection: Connection) -> bool:
    """Tell whether writes are refused."""
    return connection.execute(text(_SEALS)).first() is not None


def seal(connection: Connection, target: str) -> None:
    """Refuse every write from the commit on; `target` is remembered for whoever asks why."""
    connection.execute(text(f"UPDATE {MEMORY} SET target = :target"), {"target": target})  # noqa: S608  # a constant
    for table in connection.execute(text(_TABLES)).scalars().all():
        for verb in ("INSERT", "UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f'CREATE TRIGGER IF NOT EXISTS "{_PREFIX}{table}_{verb.lower()}" BEFORE {verb} ON "{table}"'
                f" BEGIN SELECT RAISE(ABORT, '{MOVED}'); END"
            )


def unseal(connection: Connection) -> bool:
    """Let writes in again from the commit on; tells whether they were refused."""
    found = connection.execute(text(_SEALS)).scalars().all()
    for name in found:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    if connection.execute(text(_HAS_MEMORY), {"name": MEMORY}).scalar_one():
        connection.execute(text(f"UPDATE {MEMORY} SET target = NULL"))  # noqa: S608  # a constant
    return bool(found)


def memory(connection: Connection) -> Memory | None:
    """Give what is remembered of a move; None: there was none."""
    if not connection.execute(text(_HAS_MEMORY), {"name": MEMORY}).scalar_one():
        return None
    row = connection.execute(text(f"SELECT source, target FROM {MEMORY}")).one()  # noqa: S608  # a constant
    return Memory(row.source, row.target)


def remember(connection: Connection) -> Memory:
    """Give what is remembered of a move, and begin to remember where there was none."""
    found = memory(connection)
    if found is None:
        found = Memory(uuid.uuid4().hex)
        connection.execute(text(f"CREATE TABLE {MEMORY} (source TEXT NOT NULL, target TEXT)"))
        row = text(f"INSERT INTO {MEMORY} (source) VALUES (:source)")  # noqa: S608  # a constant
        connection.execute(row, {"source": found.source})
    return found
