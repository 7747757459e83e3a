"""The other commands: they look, they tell, and they change nothing but what they are asked to make."""

import os
import runpy
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from registry import __version__, cli
from registry.app import prepare
from registry.cli import app
from registry.settings import PREFIX, every_key, load
from storage.layout import Layout


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(PREFIX) and "__" in name:
            monkeypatch.delenv(name)


def moorage(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_version() -> None:
    result = moorage("--version")
    assert (result.exit_code, result.stdout) == (0, f"moorage {__version__}\n")


def test_python_dash_m_is_the_same_and_help_is_quick() -> None:
    """Heavy imports wait for the command that needs them."""
    script = "import sys, registry.cli; print(*sorted({'sqlalchemy', 'starlette', 'alembic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    done = subprocess.run([sys.executable, "-m", "registry", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"moorage {__version__}\n"


@pytest.mark.parametrize("start", [cli.main, lambda: runpy.run_module("registry", run_name="__main__")])
def test_the_entry_points_end_with_the_commands_status(
    start: Callable[[], object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["moorage", "config", "check"])
    with pytest.raises(SystemExit) as ended:
        start()
    assert ended.value.code in (0, None)
    assert capsys.readouterr().out == "The settings are valid.\n"


@pytest.mark.parametrize("group", [[], ["config"], ["tls"]])
def test_without_a_command_the_commands_are_shown(group: list[str]) -> None:
    result = moorage(*group)
    assert "Usage" in result.output
    assert result.exit_code in (0, 2)


def test_config_check_of_nothing_is_well_and_makes_nothing(tmp_path: Path) -> None:
    result = moorage("config", "check")
    assert (result.exit_code, result.stdout) == (0, "The settings are valid.\n")
    assert list(tmp_path.iterdir()) == []


def test_config_check_looks_at_files_directory_and_database(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    (tmp_path / "m.toml").write_text(
        f'[server]\ntls_cert = "{tmp_path}/absent.crt"\n[storage]\npath = "{tmp_path}/data"\n'
        '[database]\nurl = "sqlite:////proc/none.db"\n'
    )
    result = moorage("config", "check", "--config", tmp_path / "m.toml")
    assert result.exit_code == 1
    assert "go together" in result.stderr
    assert f"there is no file {tmp_path}/absent.crt" in result.stderr
    assert "is not a directory" in result.stderr
    assert "database.url: unable to open" in result.stderr
    assert all(line.startswith("moorage: ") for line in result.stderr.splitlines())


@pytest.mark.parametrize("damage", ["newer", "rubbish"])
def test_config_check_tells_a_database_that_cannot_be_used(tmp_path: Path, damage: str) -> None:
    Layout.open(tmp_path / "moorage-data", create=True)
    database = tmp_path / "moorage-data" / "moorage.db"
    if damage == "newer":
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
            connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.close()
    else:
        database.write_bytes(b"rubbish" * 1000)
    result = moorage("config", "check")
    assert result.exit_code == 1
    assert ("newer Moorage" if damage == "newer" else "not a database") in result.stderr


def test_config_check_of_good_files_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert moorage("tls", "self-signed", "localhost", "--out", tmp_path / "tls").exit_code == 0
    monkeypatch.setenv("MOORAGE_SERVER__TLS_CERT", str(tmp_path / "tls" / "moorage.crt"))
    monkeypatch.setenv("MOORAGE_SERVER__TLS_KEY", str(tmp_path / "tls" / "moorage.key"))
    settings, _ = load()
    Layout.open(settings.storage.path, create=True)
    prepare(settings)
    assert moorage("config", "check").exit_code == 0


def test_config_check_tells_mistakes_with_2(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("[server]\nworkers = -1\n")
    result = moorage("config", "check", "--config", tmp_path / "m.toml")
    assert result.exit_code == 2
    assert "server.workers" in result.stderr


def test_config_show_tells_every_key_and_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.toml").write_text("[server]\nworkers = 2\n")
    monkeypatch.setenv("MOORAGE_LOG__ACCESS", "false")
    result = moorage("config", "show", "--config", tmp_path / "m.toml")
    assert result.exit_code == 0
    lines = dict(line.split(" = ", 1) for line in result.stdout.splitlines())
    assert sorted(lines) == sorted(every_key())
    assert lines["server.workers"] == f"2    # {tmp_path}/m.toml"
    assert lines["log.access"] == "false    # the environment (MOORAGE_LOG__ACCESS)"
    assert lines["server.uds"] == "none    # default"
    assert lines["server.listen"] == "'127.0.0.1:5000'    # default"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.toml"]


def test_config_show_keeps_a_password_to_itself(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('[database]\nurl = "postgresql+psycopg://moorage:s3cret@db.test/moorage"\n')
    result = moorage("config", "show", "--config", tmp_path / "m.toml")
    assert "s3cret" not in result.output
    assert "postgresql+psycopg://moorage:***@db.test/moorage" in result.output


def test_tls_self_signed_keeps_its_key_private_and_says_what_next(tmp_path: Path) -> None:
    result = moorage("tls", "self-signed", "registry.test", "127.0.0.1", "--out", tmp_path / "tls", "--days", "5")
    assert result.exit_code == 0
    assert "--tls-cert" in result.stdout
    assert "/etc/docker/certs.d/registry.test:5000/ca.crt" in result.stdout
    assert stat.S_IMODE((tmp_path / "tls" / "moorage.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("days", ["0", "-1", "4000", "x"])
def test_tls_self_signed_is_valid_for_a_sane_time(days: str) -> None:
    assert moorage("tls", "self-signed", "localhost", "--days", days).exit_code == 2
