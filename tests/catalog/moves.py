"""What the tests of a move start from: a full SQLite catalog and an empty PostgreSQL, and an end in the middle."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from registry.catalog import schema
from registry.catalog.engine import Database, connect
from registry.catalog.moving.move import Move, Moved
from tests.catalog.filled import fill, rows_of
from tests.parts.postgres import Postgres


@dataclass
class Both:
    """A SQLite catalog with rows in every table, and where it is to move."""

    sqlite: Database
    postgresql: Database

    def move(self) -> Moved:
        """Move it."""
        return Move(self.sqlite, self.postgresql, silent).run()

    def change(self, statement: str) -> None:
        """Change the SQLite catalog."""
        change(self.sqlite, statement)

    def same(self) -> bool:
        """Tell whether both hold the same rows."""
        return rows_of(self.sqlite) == rows_of(self.postgresql)


def silent(*_: object) -> None:
    """Tell nobody how it goes on."""


def change(database: Database, statement: str) -> None:
    """Run a statement in a transaction of its own."""
    with database.writing() as connection:
        connection.exec_driver_sql(statement)


@pytest.fixture
def both(place: Path, postgres: Postgres) -> Iterator[Both]:
    """A catalog to move, and an empty database."""
    name = postgres.create()
    databases = connect(f"sqlite:///{place / 'moorage.db'}", pool_size=4), connect(postgres.url(name), pool_size=4)
    schema.upgrade(databases[0], place / "lock")
    fill(databases[0])
    yield Both(*databases)
    for database in databases:
        database.close()
    postgres.drop(name)


class Killed(Exception):
    """The process ended here."""


def dies_after(calls: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function work so often, and then end the process in place of it."""
    left = [calls]

    def dying(*arguments: Any) -> Any:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return function(*arguments)

    return dying
