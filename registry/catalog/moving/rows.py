"""Comparing a table of one database with that of another, row by row, and having replaced what differs.

Knows neither database: a source gives batches of rows in the order of their keys, a target gives its rows in the same
order and takes changes. Rows are compared as the drivers give them: what was stored, read back.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from registry.catalog.moving.shapes import Row, Shape

SURPLUS_BATCH = 1000

Replace = Callable[[Shape, list[Row], list[Row]], None]
"""Removes rows by their keys, then adds rows, in one transaction. A row that cannot be added because another row has
one of its unique values is left out: that other row is about to be replaced, and the next walk adds what is missing."""

Progress = Callable[[int], None]
"""Takes how many of the table's rows have been looked at."""


@dataclass(slots=True)
class Differences:
    """What a walk found. `rows`: how many the source had; `first`: a row that differed, for whoever is to be told."""

    rows: int = 0
    missing: int = 0
    different: int = 0
    surplus: int = 0
    first: Row | None = None

    @property
    def total(self) -> int:
        """Give how many rows were not alike."""
        return self.missing + self.different + self.surplus


def walk(
    shape: Shape, batches: Iterable[list[Row]], there: Iterator[Row], replace: Replace, progress: Progress
) -> Differences:
    """Compare a table, and replace what differs.

    Args:    batches: the source's rows in key order; there: the target's, of one picture, in the same order.
    Returns: what differed when it was looked at; nothing means that both tables are the same.
    """
    found = Differences()
    length = shape.key_length
    other = next(there, None)
    for batch in batches:
        gone: list[Row] = []
        new: list[Row] = []
        for row in batch:
            if other == row:
                other = next(there, None)
                continue
            key = row[:length]
            while other is not None and other[:length] < key:
                gone.append(other[:length])
                other = next(there, None)
            if other is None or other[:length] != key:
                new.append(row)
            else:
                if other != row:
                    gone.append(key)
                    new.append(row)
                other = next(there, None)
        _count(found, length, batch, gone, new)
        if gone or new:
            replace(shape, gone, new)
        progress(found.rows)
    _remove_rest(shape, other, there, replace, found)
    return found


def _count(found: Differences, length: int, batch: list[Row], gone: list[Row], new: list[Row]) -> None:
    different = len({row[:length] for row in new}.intersection(gone)) if gone else 0
    found.rows += len(batch)
    found.different += different
    found.missing += len(new) - different
    found.surplus += len(gone) - different
    found.first = found.first or next(iter(new or gone), None)


def _remove_rest(shape: Shape, other: Row | None, there: Iterator[Row], replace: Replace, found: Differences) -> None:
    """Remove what the target has after the source's last row."""
    rest = chain([other] if other is not None else [], there)
    while gone := [row[: shape.key_length] for row in islice(rest, SURPLUS_BATCH)]:
        found.surplus += len(gone)
        found.first = found.first or gone[0]
        replace(shape, gone, [])
