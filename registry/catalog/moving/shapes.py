"""A table as it is walked: its key's columns first, and the order that both databases agree on. Knows no connection.

Keys compare alike everywhere: numbers as numbers, text by its bytes (SQLite's BINARY, PostgreSQL's "C", and the code
points by which Python compares, are one order in UTF-8).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Column, LargeBinary, Table, Text

from registry.catalog.tables import metadata

Row = tuple[Any, ...]
"""A table's row as a driver gives it; the key's values come first."""


@dataclass(frozen=True)
class Shape:
    """How to walk one table."""

    table: Table

    @property
    def name(self) -> str:
        """Give the table's name."""
        return str(self.table.name)

    @cached_property
    def columns(self) -> list[Column[Any]]:
        """Give all columns, those of the key first."""
        key = list(self.table.primary_key.columns)
        return [*key, *(column for column in self.table.columns if not column.primary_key)]

    @cached_property
    def key_length(self) -> int:
        """Give how many columns make the key."""
        return len(self.table.primary_key.columns)

    @property
    def key_columns(self) -> list[Column[Any]]:
        """Give the key's columns."""
        return self.columns[: self.key_length]

    @cached_property
    def wide(self) -> tuple[int, ...]:
        """Give the positions of columns whose values may be megabytes: of such rows few are held at a time."""
        return tuple(place for place, column in enumerate(self.columns) if isinstance(column.type, LargeBinary))

    @cached_property
    def listed(self) -> str:
        """Give the columns as SQL."""
        return ", ".join(f'"{column.name}"' for column in self.columns)

    @cached_property
    def keys_listed(self) -> str:
        """Give the key's columns as SQL."""
        return ", ".join(f'"{column.name}"' for column in self.key_columns)

    @cached_property
    def keys_in_bytes(self) -> str:
        """Give the key's columns as PostgreSQL sorts them by their bytes, whatever the database's own order is."""
        return ", ".join(
            f'"{column.name}" COLLATE "C"' if isinstance(column.type, Text) else f'"{column.name}"'
            for column in self.key_columns
        )

    def told(self, row: Row) -> str:
        """Name a row to a person, by its key."""
        names = (column.name for column in self.key_columns)
        values = ", ".join(f"{name} {value!r}" for name, value in zip(names, row, strict=False))
        return f"the row with {values} of table {self.name}"


SHAPES = tuple(Shape(table) for table in metadata.sorted_tables)
"""Every table."""

NUMBERED = tuple(shape for shape in SHAPES if shape.table.autoincrement_column is not None)
"""The tables whose keys the database counts."""
