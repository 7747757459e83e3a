"""`moorage db migrate`: what it says and answers with, and how it refuses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from registry.app import prepare
from registry.catalog import schema
from registry.catalog.engine import connect
from registry.settings import load
from tests.catalog.conftest import migrated, place
from tests.cli.desk import Desk
from tests.parts.postgres import Postgres

__all__ = ["migrated", "place"]
pytestmark = pytest.mark.postgresql
COMMAND = ("db", "migrate")


@dataclass(frozen=True)
class There:
    """An empty database, and its address as a person would write it."""

    postgres: Postgres
    name: str

    @property
    def url(self) -> str:
        return self.postgres.url(self.name).replace("+psycopg", "")


@pytest.fixture
def there(postgres: Postgres) -> Iterator[There]:
    """Where to move to."""
    name = postgres.create()
    yield There(postgres, name)
    postgres.drop(name)


def test_it_moves_and_says_what_to_do_next(desk: Desk, there: There) -> None:
    moved = desk.ok(*COMMAND, "--to", there.url)
    assert moved.stdout == ""
    assert "round 1: account, 1 rows, 100 %" in moved.stderr
    assert "each read back and compared. Pushes had to wait for 0." in moved.stderr
    assert f'[database]\nurl = "{there.url}"\n\n' in moved.stderr
    assert str(desk.data / "master.key") in moved.stderr
    assert "password on the command line" not in moved.stderr
    again = desk.ok(*COMMAND, "--to", there.url)
    assert f"has moved to 127.0.0.1:{there.postgres.port}/{there.name} already" in again.stderr
    assert f'url = "{there.url}"' in again.stderr


def test_scripts_read_one_document(desk: Desk, there: There) -> None:
    planned = desk.json(*COMMAND, "--to", there.url, "--dry-run")
    assert (planned["state"], planned["copied"], planned["rows"]["account"]) == ("can be moved", 0, 1)
    assert there.postgres.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", there.name) == "0"
    moved = desk.json(*COMMAND, "--to", there.url)
    assert (moved["state"], moved["copied"]) == ("moved", sum(moved["rows"].values()))
    assert moved["rows"] == planned["rows"]
    assert moved["target"] == f"127.0.0.1:{there.postgres.port}/{there.name}"
    assert 0 < moved["writers_waited_seconds"] < 60
    assert desk.json(*COMMAND, "--to", there.url)["state"] == "already moved"
    assert desk.json(*COMMAND, "--to", there.url, "--dry-run")["state"] == "already moved"
    assert desk.json(*COMMAND, "--to", there.url, "--reopen") == {"state": "reopened"}
    assert desk.json(*COMMAND, "--to", there.url)["state"] == "moved"
    assert desk.json(*COMMAND, "--reopen") == {"state": "reopened"}


def test_people_read_what_there_is_to_move(desk: Desk, there: There) -> None:
    planned = desk.ok(*COMMAND, "--to", there.url, "--dry-run")
    assert "         1  account\n" in planned.stdout
    assert planned.stderr.endswith("Nothing was changed.\n")


def test_a_catalog_that_has_moved_is_refused_until_it_is_reopened(desk: Desk, there: There) -> None:
    assert "not sealed" in desk.refused(*COMMAND, "--reopen", "--to", there.url)
    desk.ok(*COMMAND, "--to", there.url)
    settings, _ = load(None, {"storage": {"path": desk.data}})
    with pytest.raises(schema.SchemaError, match="has moved to PostgreSQL"):
        prepare(settings)
    for command in (("db", "status"), ("db", "upgrade"), ("user", "add", "ada", "--password-stdin")):
        assert "has moved to PostgreSQL" in desk.refused(*command)
    assert "takes changes again" in desk.ok(*COMMAND, "--reopen", "--to", there.url).stderr
    prepare(settings)
    with pytest.raises(schema.SchemaError, match="half moved"):
        prepare(load(None, {"storage": {"path": desk.data}, "database": {"url": there.url}})[0])
    desk.ok(*COMMAND, "--to", there.url)
    assert "drop that database" in desk.ok(*COMMAND, "--reopen").stderr


def test_the_server_starts_on_what_was_moved(desk: Desk, there: There) -> None:
    desk.ok(*COMMAND, "--to", there.url)
    assert prepare(load(None, {"storage": {"path": desk.data}, "database": {"url": there.url}})[0]) is None


def test_passwords_stay_out_of_sight(desk: Desk, there: There, tmp_path: Path) -> None:
    secret = there.url.replace("postgres@", "postgres:mooring-lines@")
    told = desk.ok(*COMMAND, "--to", secret)
    assert "password on the command line" in told.stderr
    assert "postgres:***@" in told.stderr
    assert "mooring-lines" not in told.output
    file = tmp_path / "url"
    file.write_text(f"{secret}\n")
    told = desk.ok(*COMMAND, "--to-file", file)
    assert "password on the command line" not in told.stderr
    assert "mooring-lines" not in told.output


@pytest.fixture
def guarded(there: There) -> Iterator[str]:
    """The address of a database whose user has to give a password."""
    file = there.postgres.sockets / "data" / "pg_hba.conf"
    before = file.read_text()
    there.postgres.psql("CREATE ROLE guarded LOGIN PASSWORD 'mooring-lines'")
    file.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{before}")
    there.postgres.psql("SELECT pg_reload_conf()")
    yield there.url.replace("postgres@", "guarded@")
    file.write_text(before)
    there.postgres.psql("SELECT pg_reload_conf()")
    there.postgres.psql("DROP ROLE guarded")


def test_a_target_of_no_use_is_refused_in_a_sentence(
    desk: Desk, there: There, guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(url: str) -> str:
        return desk.refused(*COMMAND, "--to", url)

    assert "password" in refused(guarded)
    monkeypatch.setenv("PGPASSWORD", "guessed")
    assert "password authentication failed" in refused(guarded)
    monkeypatch.setenv("PGPASSWORD", "mooring-lines")
    assert "may not make tables" in refused(guarded)
    assert '"nowhere" does not exist' in refused(there.postgres.url("nowhere"))


def test_a_target_that_is_newer_or_of_another_encoding_is_refused(desk: Desk, there: There) -> None:
    plain = f"{there.name}_plain"
    there.postgres.psql(f"CREATE DATABASE \"{plain}\" ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
    assert "ENCODING 'UTF8'" in desk.refused(*COMMAND, "--to", there.postgres.url(plain))
    there.postgres.drop(plain)
    database = connect(there.url, pool_size=2)
    schema.upgrade(database, Path("unused"))
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    assert "a newer Moorage has upgraded it" in desk.refused(*COMMAND, "--to", there.url)


def test_what_is_not_on_sqlite_is_refused(desk: Desk, there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORAGE_DATABASE__URL", there.url)
    assert "database.url is not SQLite" in desk.refused(*COMMAND, "--to", there.url)
