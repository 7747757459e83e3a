"""The SQLite side of a move: read in batches, looked at before, and held still in the end."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database
from registry.catalog.errors import CatalogUnavailable
from registry.catalog.moving import source
from registry.catalog.moving.errors import MoveError
from registry.catalog.moving.shapes import SHAPES, Row, Shape
from registry.catalog.moving.source import Source
from tests.catalog.conftest import only_sqlite
from tests.catalog.filled import ROWS, fill

pytestmark = only_sqlite


@pytest.fixture
def full(catalog: Catalog) -> Source:
    """A catalog with rows in every table."""
    fill(catalog.database)
    return Source(catalog.database)


def change(database: Database, statement: str) -> None:
    """Change a catalog."""
    with database.writing() as connection:
        connection.exec_driver_sql(statement)


def shape_of(name: str) -> Shape:
    """Give a table's shape."""
    return next(shape for shape in SHAPES if shape.name == name)


@pytest.mark.parametrize(("rows", "size"), [(1, 10**6), (3, 10**6), (10**6, 300), (10**6, 10**6)])
def test_every_row_comes_once_and_in_order(full: Source, monkeypatch: pytest.MonkeyPatch, rows: int, size: int) -> None:
    monkeypatch.setattr(source, "BATCH", rows)
    monkeypatch.setattr(source, "BATCH_BYTES", size)
    for shape in SHAPES:
        batches = list(full.batches(shape))
        keys = [row[: shape.key_length] for batch in batches for row in batch]
        assert keys == sorted(keys)
        assert len(keys) == len(set(keys)) == len(ROWS[shape.name])
        assert all(len(batch) <= rows for batch in batches)
        assert all(_bytes(shape, batch[:-1]) <= size for batch in batches)


def _bytes(shape: Shape, batch: list[Row]) -> int:
    return sum(len(row[place]) for row in batch for place in shape.wide)


def test_a_walk_ends_although_rows_are_added_behind_it(full: Source, catalog: Catalog) -> None:
    batches = full.batches(shape_of("journal"))
    assert len(next(batches)) == len(ROWS["journal"])
    change(catalog.database, "INSERT INTO journal (at, kind, subject) VALUES (1, 'tag', 's')")
    assert list(batches) == []


def test_rows_and_the_numbers_given_to_them_are_counted(full: Source, catalog: Catalog) -> None:
    change(catalog.database, "DELETE FROM journal WHERE number = 40")
    assert full.counts() == {name: len(rows) for name, rows in ROWS.items()} | {"journal": 2}
    numbers = full.numbers()
    assert (numbers["journal"], numbers["audit"], numbers["login_failure"]) == (40, 299, 5)
    assert "tag" not in numbers


def test_one_that_can_be_moved_passes(full: Source) -> None:
    full.check()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer Moorage"),
        ("UPDATE alembic_version SET version_num = '0001'", "moorage db upgrade"),
    ],
)
def test_one_of_another_version_is_refused(full: Source, catalog: Catalog, statement: str, told: str) -> None:
    change(catalog.database, statement)
    with pytest.raises((MoveError, schema.SchemaError), match=told):
        full.check()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM blob WHERE id = 2", r"a row of table (blob_link|lease) refers to a row of blob"),
        ("DELETE FROM account WHERE id = 9", r"row \d+ of table \w+ refers to a row of account"),
    ],
)
def test_a_row_that_refers_to_nothing_is_named(full: Source, catalog: Catalog, statement: str, told: str) -> None:
    with catalog.database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        for line in (
            "PRAGMA foreign_keys = OFF",
            statement,
            "DELETE FROM organization_member",
            "PRAGMA foreign_keys = ON",
        ):
            raw.execute(line)
    with pytest.raises(MoveError, match=told):
        full.check()


def test_one_that_is_not_there_is_refused_and_not_made(database: Database) -> None:
    with pytest.raises(MoveError, match="no SQLite catalog"):
        Source(database).check()
    assert database.path is not None
    assert not database.path.exists()


@pytest.mark.parametrize("refusals", [2, 99])
def test_a_turn_to_write_is_asked_for_again(full: Source, monkeypatch: pytest.MonkeyPatch, refusals: int) -> None:
    """SQLite lets writers in as they happen to come, and refuses who has waited for too long."""
    left = [refusals]
    writing = Source.writing

    @contextmanager
    def busy(of: Source) -> Iterator[Connection]:
        if left[0]:
            left[0] -= 1
            raise CatalogUnavailable("database is locked")
        with writing(of) as connection:
            yield connection

    monkeypatch.setattr(Source, "writing", busy)
    if refusals < source.TURNS:
        with full.still() as connection:
            connection.exec_driver_sql("DELETE FROM journal")
        assert full.counts()["journal"] == 0
        return
    with pytest.raises(CatalogUnavailable, match="locked"), full.still():
        pass
    assert left[0] == refusals - source.TURNS
