"""Migrations: empty to head is what the tables say, one head, each step can be undone, one process at a time."""

import multiprocessing
import re
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
from tests.catalog.dumps import dump

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


def test_from_nothing_to_head_is_what_the_tables_say(database: Database, place: Path) -> None:
    assert schema.upgrade(database, place / "lock")
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_what_autogenerate_does_not_see_agrees_too(database: Database, place: Path) -> None:
    """Checks, collations and WITHOUT ROWID are not compared by Alembic; the statements are."""
    schema.upgrade(database, place / "lock")
    migrated = dump(database)
    moved(database, "base")
    with database.writing() as connection:
        metadata.create_all(connection)
    assert [normal(line) for line in migrated] == [normal(line) for line in dump(database)]


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


def test_each_step_can_be_undone_and_done_again(database: Database) -> None:
    moved(database, "head")
    before = dump(database)
    for _ in schema.KNOWN:
        moved(database, "-1")
    with database.reading() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    assert schema.current(database) is None
    moved(database, "head")
    assert dump(database) == before


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
    locked = schema._file_locked(place / "lock") if database.is_sqlite else schema._session_locked(database)
    with locked, pytest.raises(schema.SchemaError, match="another process"):
        schema.upgrade(database, place / "lock")


def upgrade_there(address: str, lock: str, answers: "multiprocessing.Queue[bool | str]") -> None:
    """In another process: bring the database up to date, and look at it as a server that starts does."""
    database = connect(address, pool_size=2)
    try:
        upgraded = schema.upgrade(database, Path(lock))
        schema.require_head(database)
        answers.put(upgraded)
    except Exception as error:  # told to the parent
        answers.put(repr(error))
    finally:
        database.close()


def test_of_processes_at_once_one_upgrades_and_the_others_wait(address: str, database: Database, place: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[bool | str] = context.Queue()
    arguments = (address, str(place / "lock"), answers)
    processes = [context.Process(target=upgrade_there, args=arguments) for _ in range(2 if database.is_sqlite else 8)]
    for process in processes:
        process.start()
    found = sorted((answers.get(timeout=100) for _ in processes), key=str)
    for process in processes:
        process.join(60)
    assert found == [False] * (len(processes) - 1) + [True]
    assert dump(database)


def test_who_may_not_upgrade_is_told_who_does(database: Database, place: Path) -> None:
    with pytest.raises(schema.SchemaError, match=r"is empty.*moorage db upgrade"):
        schema.require_head(database)
    moved(database, "0001")
    assert schema.status(database) == schema.Status("0001", schema.KNOWN[1:])
    with pytest.raises(schema.SchemaError, match=r"at schema 0001.*auto_migrate"):
        schema.require_head(database)
    assert schema.upgrade(database, place / "lock")
    schema.require_head(database)
    assert schema.status(database) == schema.Status(schema.HEAD, ())


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("DELETE FROM alembic_version", "it has the table access_grant"),
        ("DROP TABLE alembic_version", "it has the table access_grant"),
        ("INSERT INTO alembic_version VALUES ('0001')", f"it names the steps 0001, {schema.HEAD}"),
    ],
)
def test_a_database_that_is_half_done_is_refused_in_words(
    database: Database, place: Path, spoil: str, told: str
) -> None:
    schema.upgrade(database, place / "lock")
    with database.writing() as connection:
        connection.exec_driver_sql(spoil)
    for refuse in (schema.check, schema.require_head, lambda database: schema.upgrade(database, place / "lock")):
        with pytest.raises(schema.SchemaError, match=told) as refused:
            refuse(database)
        assert "backup" in str(refused.value)


def test_a_step_that_fails_leaves_nothing_half_done(
    database: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("alembic.op.create_index", failing)
    with pytest.raises(RuntimeError):
        schema.upgrade(database, place / "lock")
    assert dump(database) == []
    monkeypatch.undo()
    assert schema.upgrade(database, place / "lock")
