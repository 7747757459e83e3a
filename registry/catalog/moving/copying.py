"""PostgreSQL's rows, streamed in the order of their keys, and replaced by COPY. Speaks to psycopg itself.

Temporary tables live for one transaction each, so that a pooler by transaction may stand between.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Text

from registry.catalog.errors import CatalogUnavailable
from registry.catalog.moving.errors import MoveError
from registry.catalog.moving.shapes import Row, Shape
from registry.catalog.moving.target import Target

CHUNK = 500
"""Rows that PostgreSQL hands over at a time; one where each may be megabytes."""


@contextmanager
def streamed(target: Target, shape: Shape) -> Iterator[Iterator[Row]]:
    """Give a table's rows, of one picture, in the order of their keys. Raises CatalogUnavailable."""
    query = f'SELECT {shape.listed} FROM "{shape.name}" ORDER BY {shape.keys_in_bytes}'  # noqa: S608  # our own names
    with target.reading() as connection, _told(shape, []):
        cursor = _psycopg(connection).cursor()
        rows = cursor.stream(query.encode(), binary=True, size=_chunk(shape))
        try:
            yield rows
        finally:
            cast("Any", rows).close()


def replace(target: Target, shape: Shape, gone: list[Row], new: list[Row]) -> None:
    """Remove rows by their keys, then add rows, but for those one of whose unique values is still another row's.

    Raises: MoveError if PostgreSQL cannot hold a value; CatalogUnavailable.
    """
    with target.writing(durable=False) as connection, _told(shape, new):
        cursor = _psycopg(connection).cursor()
        if gone:
            cursor.execute(_removal(shape).encode(), [list(values) for values in zip(*gone, strict=True)])
        if new:
            _add(cursor, shape, new)


def _add(cursor: "psycopg.Cursor[Row]", shape: Shape, new: list[Row]) -> None:
    cursor.execute(f'CREATE TEMPORARY TABLE incoming (LIKE "{shape.name}") ON COMMIT DROP'.encode())
    with cursor.copy(f"COPY incoming ({shape.listed}) FROM STDIN".encode()) as copy:
        for row in new:
            copy.write_row(row)
    listed = shape.listed
    query = f'INSERT INTO "{shape.name}" ({listed}) SELECT {listed} FROM incoming ON CONFLICT DO NOTHING'  # noqa: S608
    cursor.execute(query.encode())


def _removal(shape: Shape) -> str:
    kinds = ("text" if isinstance(column.type, Text) else "bigint" for column in shape.key_columns)
    lists = ", ".join(f"%s::{kind}[]" for kind in kinds)
    same = " AND ".join(f'here."{column.name}" = gone."{column.name}"' for column in shape.key_columns)
    return f'DELETE FROM "{shape.name}" here USING unnest({lists}) AS gone({shape.keys_listed}) WHERE {same}'  # noqa: S608


def _chunk(shape: Shape) -> int:
    return 1 if shape.wide or psycopg.pq.version() < 170_000 else CHUNK


def _psycopg(connection: Connection) -> "psycopg.Connection[Row]":
    return cast("psycopg.Connection[Row]", connection.connection.driver_connection)


@contextmanager
def _told(shape: Shape, new: list[Row]) -> Iterator[None]:
    """Turn what psycopg raises past SQLAlchemy into our own exceptions."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise CatalogUnavailable(_first_line(error)) from error
    except psycopg.Error as error:
        raise MoveError(
            f"PostgreSQL does not take {_which(error, shape, new)}: {_first_line(error)}."
            " Change it in the SQLite catalog, or remove it, and run this again"
        ) from error


def _which(error: psycopg.Error, shape: Shape, new: list[Row]) -> str:
    """Find the row: PostgreSQL says in which line of the COPY it was, and NUL characters are refused before."""
    line = re.search(r"line (\d+)", error.diag.context or "")
    if line and int(line[1]) <= len(new):
        return shape.told(new[int(line[1]) - 1])
    with_nul = (row for row in new if any(isinstance(value, str) and "\0" in value for value in row))
    found = next(with_nul, None)
    return shape.told(found) if found is not None else f"a row of table {shape.name}"


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]
