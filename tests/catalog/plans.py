"""How SQLite goes about what the catalog asks: the plans of the statements that a block of code runs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from registry.catalog.catalog import Catalog
from registry.catalog.tables import metadata

SCAN = re.compile(rf"SCAN ({'|'.join(metadata.tables)})\b")


@contextmanager
def planned(catalog: Catalog) -> Iterator[list[str]]:
    """Collect the lines of the plans of all statements that run on the catalog within the block.

    On PostgreSQL there are none: its planner rightly scans tables that hold three rows.
    """
    lines: list[str] = []
    engine = catalog.database.engine
    if not catalog.database.is_sqlite:
        yield ["not looked at"]
        return

    def explain(_connection: object, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        first = parameters[0] if isinstance(parameters, list) else parameters
        rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", first).fetchall()
        lines.extend(str(row[-1]) for row in rows)

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield lines
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def scans(lines: list[str]) -> list[str]:
    """Give those lines that walk a whole table or a whole index."""
    assert lines, "nothing was planned"
    return [line for line in lines if SCAN.search(line)]
