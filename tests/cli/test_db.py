"""`moorage db`, on both databases, and what a server that may not upgrade says."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from registry.app import prepare
from registry.catalog import schema
from registry.catalog.engine import connect
from registry.checks import problems
from registry.cli import app
from registry.settings import PREFIX, Settings
from storage.layout import Layout
from tests.catalog.conftest import address, fast_directory, migrated, only_postgresql, only_sqlite, place
from tests.parts.postgres import Postgres

__all__ = ["address", "fast_directory", "migrated", "place"]


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, address: str, place: Path) -> Path:
    """An empty data directory, and the database as the environment names it."""
    for name in list(os.environ):
        if name.startswith(PREFIX) and "__" in name:
            monkeypatch.delenv(name)
    monkeypatch.setenv("MOORAGE_DATABASE__URL", address)
    monkeypatch.setenv("MOORAGE_STORAGE__PATH", str(place / "data"))
    Layout.open(place / "data", create=True)
    return place / "data"


def moorage(*args: str) -> Result:
    """Run a command that ends as a user sees it: with a status, never with a traceback."""
    result = CliRunner().invoke(app, args)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_a_database_is_looked_at_and_brought_up_to_date() -> None:
    before = moorage("db", "status", "--json")
    assert before.exit_code == 1
    assert json.loads(before.stdout) == {"current": None, "head": schema.HEAD, "pending": list(schema.KNOWN)}
    upgraded = moorage("db", "upgrade", "--json")
    assert (upgraded.exit_code, json.loads(upgraded.stdout)) == (
        0,
        {"from": None, "to": schema.HEAD, "upgraded": True},
    )
    after = moorage("db", "status")
    assert (after.exit_code, after.stdout.split()) == (0, ["current", schema.HEAD, "head", schema.HEAD, "pending", "-"])
    assert json.loads(moorage("db", "upgrade", "--json").stdout)["upgraded"] is False


def test_people_are_told_in_a_sentence() -> None:
    assert f"was empty and is at {schema.HEAD} now" in moorage("db", "upgrade").stderr
    assert f"at schema {schema.HEAD} already" in moorage("db", "upgrade").stderr


def test_a_newer_database_is_refused(address: str) -> None:
    moorage("db", "upgrade")
    database = connect(address, pool_size=1)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    for command in ("status", "upgrade"):
        refused = moorage("db", command)
        assert (refused.exit_code, "a newer Moorage has upgraded it" in refused.stderr) == (1, True)


def test_a_server_that_may_not_upgrade_says_who_does(address: str, data: Path) -> None:
    settings = Settings.model_validate(
        {
            "auth": {"mode": "open"},
            "database": {"url": address, "auto_migrate": False},
            "storage": {"path": data},
        }
    )
    with pytest.raises(schema.SchemaError, match="moorage db upgrade"):
        prepare(settings)
    assert any("moorage db upgrade" in problem for problem in problems(settings))
    moorage("db", "upgrade")
    prepare(settings)
    assert problems(settings) == []


@only_sqlite
def test_without_a_data_directory_there_is_nothing_to_look_at(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setenv("MOORAGE_STORAGE__PATH", str(place / "none"))
    refused = moorage("db", "status")
    assert (refused.exit_code, "none" in refused.stderr) == (1, True)


@only_postgresql
def test_no_data_directory_is_needed_where_the_database_is_elsewhere(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.setenv("MOORAGE_STORAGE__PATH", str(place / "none"))
    assert moorage("db", "upgrade").exit_code == 0
    assert not (place / "none").exists()


@only_postgresql
def test_what_is_wrong_with_an_address_is_told(
    monkeypatch: pytest.MonkeyPatch, address: str, data: Path, postgres: Postgres
) -> None:
    unreachable = "postgresql://somebody@127.0.0.1:1/none"
    monkeypatch.setenv("MOORAGE_DATABASE__DIRECT_URL", unreachable)
    refused = moorage("db", "upgrade")
    assert (refused.exit_code, "refused" in refused.stderr) == (1, True)
    values = {"database": {"url": address, "direct_url": unreachable}, "storage": {"path": data}}
    assert ["direct_url" in problem for problem in problems(Settings.model_validate(values))] == [True]
    values["database"] = {"url": "mysql://host/name"}
    assert problems(Settings.model_validate(values)) == [
        "database.url: the database is SQLite or PostgreSQL; mysql is neither"
    ]
    monkeypatch.setenv("MOORAGE_DATABASE__URL", postgres.url("nowhere"))
    monkeypatch.delenv("MOORAGE_DATABASE__DIRECT_URL")
    assert '"nowhere" does not exist' in moorage("db", "status").stderr
