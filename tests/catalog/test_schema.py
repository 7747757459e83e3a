"""Migrations: empty to head is what the tables say, one head, each step can be undone, one process at a time."""

import multiprocessing
import re
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from registry.catalog import schema
from registry.catalog.engine import Database, connect
from registry.catalog.tables import metadata

VERSIONS = Path(schema.__file__).parents[2] / "migrations" / "versions"


def config() -> Config:
    found = Config()
    found.set_main_option("script_location", "migrations:")
    return found


def moved(database: Database, to: str) -> None:
    """Go to a revision, up or down."""
    settings = config()
    with database.writing() as connection:
        settings.attributes["connection"] = connection
        go = command.downgrade if to == "base" or to.startswith("-") else command.upgrade
        go(settings, to)


def dump(place: Path) -> list[str]:
    """Give the schema as SQLite keeps it."""
    with sqlite3.connect(place / "moorage.db") as connection:
        lines = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
    connection.close()
    return sorted(line for line in lines if "alembic_version" not in line)


def test_from_nothing_to_head_is_what_the_tables_say(database: Database, place: Path) -> None:
    assert schema.upgrade(database, place / "lock")
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_what_autogenerate_does_not_see_agrees_too(database: Database, place: Path) -> None:
    """Checks, collations and WITHOUT ROWID are not compared by Alembic; the statements are."""
    schema.upgrade(database, place / "lock")
    other = place / "other"
    other.mkdir()
    direct = connect(f"sqlite:///{other / 'moorage.db'}", pool_size=1)
    with direct.writing() as connection:
        metadata.create_all(connection)
    direct.close()
    assert [normal(line) for line in dump(place)] == [normal(line) for line in dump(other)]


def normal(statement: str) -> list[str]:
    """Take a statement apart, so that only the order of its clauses and white space do not count."""
    head, _, rest = re.sub(r"\s+", " ", statement).partition("(")
    body, _, tail = rest.rpartition(")")
    return [head.strip(), tail.strip(), *sorted(part.strip() for part in re.split(r",(?![^()]*\))", body))]


def test_there_is_one_head_and_the_constants_name_the_files() -> None:
    script = ScriptDirectory.from_config(config())
    assert script.get_heads() == [schema.HEAD]
    revisions = tuple(reversed([step.revision for step in script.walk_revisions()]))
    assert revisions == schema.KNOWN
    assert schema.KNOWN[-1] == schema.HEAD
    files = sorted(path.name for path in VERSIONS.glob("*.py") if path.name != "__init__.py")
    assert [name.partition("_")[0] for name in files] == list(schema.KNOWN)


def test_each_step_can_be_undone_and_done_again(database: Database, place: Path) -> None:
    moved(database, "head")
    before = dump(place)
    for _ in schema.KNOWN:
        moved(database, "-1")
    with database.reading() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    assert schema.current(database) is None
    moved(database, "head")
    assert dump(place) == before


def test_a_second_upgrade_does_nothing(database: Database, place: Path) -> None:
    assert schema.current(database) is None
    assert schema.upgrade(database, place / "lock")
    assert schema.current(database) == schema.HEAD
    assert not schema.upgrade(database, place / "lock")


def test_a_newer_schema_is_refused_in_words(database: Database, place: Path) -> None:
    schema.upgrade(database, place / "lock")
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for refuse in (schema.check, lambda database: schema.upgrade(database, place / "lock")):
        with pytest.raises(schema.SchemaError, match="at schema 9999") as refused:
            refuse(database)
        assert "newer Moorage" in str(refused.value)
        assert "backup" in str(refused.value)


def test_check_takes_an_empty_and_a_current_database(database: Database, place: Path) -> None:
    schema.check(database)
    schema.upgrade(database, place / "lock")
    schema.check(database)


def test_whoever_waits_for_the_lock_finds_the_work_done(database: Database, place: Path) -> None:
    threads = [threading.Thread(target=lambda: done.append(schema.upgrade(database, place / "lock"))) for _ in range(4)]
    done: list[bool] = []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, False, False, True]


def test_a_lock_that_is_never_let_go_is_told(database: Database, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "LOCK_WAIT", 0.1)
    with schema._locked(place / "lock"), pytest.raises(schema.SchemaError, match="another process"):
        schema.upgrade(database, place / "lock")


def upgrade_there(place: str, answers: "multiprocessing.Queue[bool | str]") -> None:
    """In another process: bring the database up to date."""
    database = connect(f"sqlite:///{place}/moorage.db", pool_size=1)
    try:
        answers.put(schema.upgrade(database, Path(place) / "lock"))
    except Exception as error:  # told to the parent
        answers.put(repr(error))
    finally:
        database.close()


def test_of_two_processes_at_once_one_upgrades_and_the_other_waits(place: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[bool | str] = context.Queue()
    processes = [context.Process(target=upgrade_there, args=(str(place), answers)) for _ in range(2)]
    for process in processes:
        process.start()
    found = sorted((answers.get(timeout=60) for _ in processes), key=str)
    for process in processes:
        process.join(60)
    assert found == [False, True]
    assert dump(place)


def test_a_step_that_fails_leaves_nothing_half_done(
    database: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("alembic.op.create_index", failing)
    with pytest.raises(RuntimeError):
        schema.upgrade(database, place / "lock")
    assert dump(place) == []
    monkeypatch.undo()
    assert schema.upgrade(database, place / "lock")
