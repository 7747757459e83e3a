"""A catalog that moves from SQLite to PostgreSQL: every row, whatever interrupts it, and nobody writes here after."""

import pytest
from sqlalchemy import text

from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database, connect
from registry.catalog.errors import CatalogUnavailable
from registry.catalog.moving import copying, move, source
from registry.catalog.moving.errors import MoveError
from registry.catalog.moving.move import Move, reopen
from registry.catalog.moving.target import Target
from registry.catalog.tables import metadata
from registry.oci.names import RepositoryName
from tests.catalog.dumps import dump
from tests.catalog.filled import ROWS
from tests.catalog.moves import Both, Killed, both, change, dies_after, silent
from tests.parts.postgres import Postgres

__all__ = ["both"]
pytestmark = pytest.mark.postgresql


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows at a time, or a hundred bytes."""
    monkeypatch.setattr(source, "BATCH", 3)
    monkeypatch.setattr(source, "BATCH_BYTES", 100)


def test_every_row_of_every_table_is_there(both: Both, migrated: str, postgres: Postgres) -> None:
    moved = both.move()
    assert both.same()
    assert moved.rows == {name: len(rows) for name, rows in ROWS.items()}
    assert moved.copied == sum(moved.rows.values())
    assert moved.waited > 0
    assert not moved.already
    schema.require_head(both.postgresql)
    fresh = connect(postgres.url(migrated), pool_size=1)
    assert dump(both.postgresql) == dump(fresh)
    fresh.close()


def test_batches_may_be_of_any_size(both: Both, small_batches: None) -> None:
    assert both.move().copied == sum(map(len, ROWS.values()))
    assert both.same()


def test_a_second_run_says_so_and_does_nothing(both: Both) -> None:
    both.move()
    again = both.move()
    assert (again.already, again.copied) == (True, 0)


def test_numbers_go_on_where_they_were_and_none_comes_twice(both: Both) -> None:
    both.change("DELETE FROM journal WHERE number = 40")
    both.change("DELETE FROM login_failure")
    both.move()
    with Catalog(both.postgresql).begin() as tx:
        assert tx.repositories.ensure(RepositoryName.parse("team/new")).id == 3
        number = tx._connection.execute(
            text("INSERT INTO journal (at, kind, subject) VALUES (1, 'tag', 's') RETURNING number")
        ).scalar_one()
        assert number == 41
        assert tx._connection.execute(text("SELECT nextval('login_failure_id_seq')")).scalar_one() == 6


def test_an_empty_catalog_moves_too(both: Both) -> None:
    with both.sqlite.writing() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for table in reversed(metadata.sorted_tables):
            connection.exec_driver_sql(f'DELETE FROM "{table.name}"')
        connection.exec_driver_sql("DELETE FROM sqlite_sequence")
    assert set(both.move().rows.values()) == {0}
    with Catalog(both.postgresql).begin() as tx:
        assert tx.repositories.ensure(RepositoryName.parse("team/new")).id == 1


CHANGES = [
    "UPDATE repository SET name = CASE id WHEN 1 THEN 'team/b' ELSE 'team/a' END",
    "UPDATE team SET name = CASE id WHEN 1 THEN 'Core' ELSE 'core' END",
    "UPDATE account SET name = name || '2'",
    "UPDATE account SET administrator = 1 - administrator, password = NULL",
    "UPDATE blob SET id = 9 WHERE id = 3",
    "UPDATE manifest SET content = x'00'",
    "UPDATE journal SET number = 0 WHERE number = 40",
    "UPDATE discarded_key SET key = 'new' WHERE store = 'z' AND key = 'b'",
    "DELETE FROM audit WHERE id % 3 = 0",
    "DELETE FROM blob WHERE id = 3",
    "DELETE FROM credential WHERE id < 'a'",
    "DELETE FROM login_failure",
    "UPDATE blob SET id = 0 WHERE id IN (3, 9)",
]


def changed(database: Database, statement: str) -> None:
    """Change a catalog; where names change places, by way of others, for each of them is there once at any time."""
    with database.writing() as connection:
        if "CASE" in statement:
            connection.exec_driver_sql(f"UPDATE {statement.split()[1]} SET name = name || '~'")
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("calls", [0, 1, 8, 60, 130])
def test_a_move_that_was_interrupted_goes_on(
    both: Both, small_batches: None, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    monkeypatch.setattr(move, "replace", dies_after(calls, copying.replace))
    with pytest.raises(Killed):
        both.move()
    monkeypatch.setattr(move, "replace", copying.replace)
    for statement in CHANGES:
        changed(both.sqlite, statement)
    with pytest.raises(schema.SchemaError, match="half moved"):
        schema.check(both.postgresql)
    both.move()
    assert both.same()


@pytest.mark.parametrize("statement", CHANGES)
def test_what_changes_while_it_is_copied_is_copied_again(
    both: Both, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    analyze = Target.analyze

    def after_the_first_rounds(target: Target) -> None:
        changed(both.sqlite, statement)
        analyze(target)

    monkeypatch.setattr(Target, "analyze", after_the_first_rounds)
    moved = both.move()
    assert both.same()
    assert moved.rounds == 1


def test_under_many_changes_it_takes_rounds(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(move, "FEW", 100)
    assert both.move().rounds == 2


@pytest.mark.parametrize("last", ["finish", "open"])
def test_killed_at_the_end_it_is_finished_by_another_run(
    both: Both, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Target, last, dies_after(0, getattr(Target, last)))
        both.move()
    with pytest.raises(schema.SchemaError, match="half moved"):
        schema.check(both.postgresql)
    if last == "finish":
        schema.check(both.sqlite)
    else:
        with pytest.raises(schema.SchemaError, match="has moved to PostgreSQL"):
            schema.check(both.sqlite)
    assert not both.move().already
    schema.require_head(both.postgresql)
    assert both.same()


def test_reopened_it_can_be_written_and_moved_again(both: Both) -> None:
    before = dump(both.sqlite)
    both.move()
    Move(both.sqlite, both.postgresql, silent).reopen()
    schema.require_head(both.sqlite)
    both.change("DELETE FROM audit WHERE id < 9")
    with pytest.raises(schema.SchemaError, match="half moved"):
        schema.check(both.postgresql)
    assert [line for line in dump(both.sqlite) if "catalog_move" not in line] == before
    both.move()
    assert both.same()


def test_what_was_written_to_postgresql_is_not_thrown_away(both: Both) -> None:
    both.move()
    change(both.postgresql, "DELETE FROM audit WHERE id < 9")
    with pytest.raises(MoveError, match="8 rows of table audit"):
        Move(both.sqlite, both.postgresql, silent).reopen()
    schema.check(both.postgresql)
    with pytest.raises(schema.SchemaError, match="has moved"):
        schema.check(both.sqlite)
    assert reopen(both.sqlite)
    assert not reopen(both.sqlite)
    with pytest.raises(MoveError, match="before it was reopened"):
        both.move()
    with pytest.raises(MoveError, match="not sealed"):
        Move(both.sqlite, both.postgresql, silent).reopen()


UNFIT = [
    ("UPDATE audit SET reason = 'a' || char(0) WHERE id = 17", "the row with id 17 of table audit"),
    ("UPDATE access_grant SET rights = 4294967296 WHERE id = 2", "the row with id 2 of table access_grant"),
    ("UPDATE tag SET updated_at = 'noon' WHERE name = 'z'", "the row with repository_id 1, name 'z' of table tag"),
    ("UPDATE blob SET key = x'00ff' WHERE id = 2", "the row with id 2 of table blob comes back"),
    ("UPDATE audit SET reason = CAST(x'ff' AS TEXT) WHERE id = 9", "decode to UTF-8 column 'reason'"),
]


@pytest.mark.parametrize(("statement", "told"), UNFIT)
def test_what_postgresql_cannot_hold_is_named(both: Both, statement: str, told: str) -> None:
    both.change(statement)
    with pytest.raises((MoveError, CatalogUnavailable), match=told):
        both.move()
    schema.require_head(both.sqlite)


def test_rows_that_postgresql_finds_to_refer_to_nothing_are_told(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody changed them after the look at all of them."""
    finish = Target.finish

    def spoiled(target: Target, numbers: dict[str, int]) -> None:
        change(both.postgresql, "DELETE FROM blob")
        finish(target, numbers)

    monkeypatch.setattr(Target, "finish", spoiled)
    with pytest.raises(MoveError, match="PostgreSQL does not take the rows"):
        both.move()
    schema.require_head(both.sqlite)
