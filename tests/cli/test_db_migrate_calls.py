"""`moorage db migrate` as it is called, where it comes to no PostgreSQL."""

import shutil
from pathlib import Path

import pytest

from registry.catalog.engine import connect
from registry.catalog.moving.seal import remember, seal
from registry.cli import migrate
from tests.cli.desk import Desk

COMMAND = ("db", "migrate")
NOWHERE = "postgresql://somebody:mooring-lines@127.0.0.1:1/none"


def test_a_call_that_makes_no_sense_is_refused(desk: Desk, tmp_path: Path) -> None:
    assert "where to?" in desk.refused(*COMMAND, status=2)
    assert "not both" in desk.refused(*COMMAND, "--to", NOWHERE, "--to-file", tmp_path / "url", status=2)
    assert "cannot be read" in desk.refused(*COMMAND, "--to-file", tmp_path / "url", status=2)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (NOWHERE, "run the same command again"),
        ("sqlite:///other.db", "has to be PostgreSQL"),
        ("mysql://host/name", "mysql is neither"),
        ("somewhere", "address is none"),
    ],
)
def test_what_is_no_target_is_told(desk: Desk, tmp_path: Path, url: str, told: str) -> None:
    file = tmp_path / "url"
    file.write_text(f"{url}\n")
    refused = desk.refused(*COMMAND, "--to-file", file)
    assert told in refused
    assert "mooring-lines" not in refused


def test_a_password_on_the_command_line_is_warned_about(desk: Desk) -> None:
    refused = desk.refused(*COMMAND, "--to", NOWHERE)
    assert refused.startswith("A password on the command line")
    assert "mooring-lines" not in refused


def test_a_catalog_that_is_not_there_is_not_made(desk: Desk) -> None:
    (desk.data / "moorage.db").unlink()
    assert "no SQLite catalog" in desk.refused(*COMMAND, "--to", NOWHERE)
    assert not (desk.data / "moorage.db").exists()
    shutil.rmtree(desk.data)
    assert str(desk.data) in desk.refused(*COMMAND, "--to", NOWHERE)


def test_a_sealed_catalog_is_reopened_without_a_word_from_postgresql(desk: Desk) -> None:
    assert "not sealed" in desk.refused(*COMMAND, "--reopen")
    for answer in ("drop that database", "reopened"):
        database = connect(f"sqlite:///{desk.data / 'moorage.db'}", pool_size=1)
        with database.writing() as connection:
            remember(connection)
            seal(connection, "db.internal/registry")
        database.close()
        assert "db.internal/registry" in desk.refused("db", "status")
        told = desk.ok(*COMMAND, "--reopen", *(["--json"] if answer == "reopened" else []))
        assert answer in told.output
    assert desk.ok("db", "status").exit_code == 0


def test_progress_is_told_once_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = migrate.Lines(lambda: now[0])
    for looked_at in range(1000, 10001, 1000):
        now[0] += 0.3
        lines.show("round 1", "blob", looked_at, 10000)
    lines.show("round 1", "lease", 0, 0)
    assert capsys.readouterr().err.splitlines() == [
        "round 1: blob, 4000 rows, 40 %",
        "round 1: blob, 8000 rows, 80 %",
        "round 1: blob, 10000 rows, 100 %",
        "round 1: lease, 0 rows, 100 %",
    ]
