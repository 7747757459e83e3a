"""`moorage serve`: what it refuses before it touches anything, and what it hands to the engine."""

import logging
import multiprocessing
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from auth.keys import MasterKey
from registry.cli import app
from registry.cli.addresses import split_listen
from registry.serving.plan import ServingPlan
from registry.settings import PREFIX
from storage.layout import Layout


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(PREFIX) and "__" in name:
            monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Engine:
    """Stands where an engine would: remembers what it was told, announces an address, and ends."""

    def __init__(self) -> None:
        self.plan = ServingPlan()
        self.lock_was_held = False
        self.url = "http://127.0.0.1:5001"

    def __call__(self, _make_app: Callable[[], Any], plan: ServingPlan, *, announce: Callable[[str], None]) -> int:
        self.plan = plan
        announce(self.url)
        return 0


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Both engines."""
    engine = Engine()
    for name in ("serve_uvicorn", "serve_granian"):
        monkeypatch.setattr(f"registry.serving.serve.{name}", engine)
    return engine


def moorage(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


PASSWORD = re.compile(r"Sign in as admin with the password (\S+)$", re.MULTILINE)


def test_the_first_start_tells_a_password_once_beside_what_to_type(tmp_path: Path, engine: Engine) -> None:
    first = moorage("serve", "--data", tmp_path / "data").stderr
    password = PASSWORD.findall(first)
    assert len(password) == 1 and len(password[0]) >= 20
    for line in ("docker login -u admin 127.0.0.1:5001", "docker push 127.0.0.1:5001/admin/IMAGE", "docker tag IMAGE"):
        assert line in first
    assert not PASSWORD.search(moorage("serve", "--data", tmp_path / "data").stderr)
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or password[0].encode() not in path.read_bytes()


def test_the_password_is_told_even_where_the_server_cannot_start(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.serving.serve.serve_uvicorn", lambda *_args, **_more: 1)
    result = moorage("serve", "--data", tmp_path / "data")
    assert (result.exit_code, len(PASSWORD.findall(result.stderr))) == (1, 1)


def test_passwords_in_the_clear_are_warned_of(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "in the clear" not in moorage("serve", "--data", tmp_path / "data").stderr
    engine.url = "http://192.0.2.7:5000"
    assert "in the clear" in moorage("serve", "--data", tmp_path / "data").stderr
    assert "in the clear" not in moorage("serve", "--open", "--data", tmp_path / "data").stderr
    monkeypatch.setenv("MOORAGE_SERVER__TRUSTED_PROXIES", "192.0.2.0/24")
    assert "in the clear" not in moorage("serve", "--data", tmp_path / "data").stderr


@pytest.mark.parametrize(("url", "host"), [("http://0.0.0.0:5000", "HOST:5000"), ("https://[::]:443", "HOST:443")])
def test_an_address_that_nobody_can_type_is_not_told(tmp_path: Path, engine: Engine, url: str, host: str) -> None:
    engine.url = url
    said = moorage("serve", "--data", tmp_path / "data").stderr
    assert f"docker login -u admin {host}\n" in said
    assert "the name by which clients reach this machine for HOST" in said


def test_a_password_from_the_settings_is_taken_and_not_told(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("lines-and-bollards\n")
    monkeypatch.setenv("MOORAGE_ADMIN__PASSWORD_FILE", str(tmp_path / "password"))
    result = moorage("serve", "--data", tmp_path / "data")
    assert result.exit_code == 0
    assert not PASSWORD.search(result.stderr) and "bollards" not in result.stderr


def test_a_weak_password_from_the_settings_is_refused_with_the_reason(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOORAGE_ADMIN__PASSWORD", "short")
    result = moorage("serve", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "admin.password: " in result.stderr and "12" in result.stderr
    assert "short" not in result.stderr.replace("shorter", "")


def test_another_master_key_is_refused_in_a_sentence(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert moorage("serve", "--data", tmp_path / "data").exit_code == 0
    key = tmp_path / "data" / "master.key"
    assert key.stat().st_mode & 0o777 == 0o600
    own = key.read_text()
    key.unlink()
    result = moorage("serve", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "there is no master key" in result.stderr and "moorage key reset" in result.stderr
    assert not key.exists()
    monkeypatch.setenv("MOORAGE_SECRETS__MASTER_KEY", MasterKey.generate().text)
    result = moorage("serve", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "sealed with another master key" in result.stderr and "moorage key reset" in result.stderr
    monkeypatch.setenv("MOORAGE_SECRETS__MASTER_KEY", own)
    assert moorage("serve", "--data", tmp_path / "data").exit_code == 0
    monkeypatch.setenv("MOORAGE_SECRETS__MASTER_KEY", "nonsense")
    result = moorage("serve", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "secrets.master_key" in result.stderr and "nonsense" not in result.stderr


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:5000", "[::]:5000", "192.0.2.7:5000", "registry.example:5000", "127.1:5000"]
)
def test_open_to_the_network_has_to_be_said_twice(tmp_path: Path, listen: str, engine: Engine) -> None:
    result = moorage("serve", "--open", "--listen", listen, "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert listen in result.stderr
    assert "--open --open-to-everyone" in result.stderr
    assert not (tmp_path / "data").exists()
    assert (
        moorage("serve", "--open", "--open-to-everyone", "--listen", listen, "--data", tmp_path / "data").exit_code == 0
    )


@pytest.mark.parametrize("listen", ["127.0.0.1:5000", "127.9.9.9:0", "[::1]:5000", "localhost:80"])
def test_loopback_is_open_to_nobody_else(tmp_path: Path, listen: str, engine: Engine) -> None:
    assert moorage("serve", "--open", "--listen", listen, "--data", tmp_path / "data").exit_code == 0
    assert (tmp_path / "data" / "format").exists()
    assert engine.plan.port == int(listen.rpartition(":")[2])


def test_a_unix_socket_is_guarded_by_its_file(tmp_path: Path, engine: Engine) -> None:
    socket = tmp_path / "moorage.sock"
    result = moorage("serve", "--open", "--listen", "0.0.0.0:1", "--uds", socket, "--data", tmp_path / "data")
    assert result.exit_code == 0
    assert engine.plan.uds == socket
    assert "docker" not in result.stderr  # docker cannot push there


@pytest.mark.parametrize("open_by", ["file", "environment"])
def test_open_mode_by_settings_is_guarded_as_well(
    tmp_path: Path, open_by: str, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    args = ["serve", "--data", str(tmp_path / "data")]
    if open_by == "file":
        (tmp_path / "moorage.toml").write_text('[auth]\nmode = "open"\n')
        args += ["--config", str(tmp_path / "moorage.toml")]
    else:
        monkeypatch.setenv("MOORAGE_AUTH__MODE", "open")
    assert moorage(*args, "--listen", "0.0.0.0:5000").exit_code == 2
    assert moorage(*args).exit_code == 0


@pytest.mark.parametrize(
    "listen", ["5000", ":5000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "h:65536", "h:-1", "h:٣", ""]
)
def test_an_address_that_is_none_is_told(tmp_path: Path, listen: str) -> None:
    result = moorage("serve", "--open", "--listen", listen, "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "HOST:PORT" in result.stderr
    assert not (tmp_path / "data").exists()


def test_addresses() -> None:
    assert split_listen("[::1]:5000") == ("::1", 5000)
    assert split_listen("127.0.0.1:0") == ("127.0.0.1", 0)
    assert split_listen("h:65535") == ("h", 65535)


@pytest.mark.parametrize("flag", ["--tls-cert", "--tls-key"])
def test_a_certificate_and_its_key_go_together(tmp_path: Path, flag: str) -> None:
    result = moorage("serve", "--open", flag, tmp_path / "x.pem", "--data", tmp_path / "data")
    assert (result.exit_code, "go together" in result.stderr) == (2, True)
    assert not (tmp_path / "data").exists()


def test_every_mistake_in_the_settings_is_told_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "moorage.toml").write_text('[server]\nlisen = "x"\nengine = "apache"\n')
    result = moorage("serve", "--open", "--config", tmp_path / "moorage.toml", "--data", tmp_path / "data")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("moorage: server.") for line in lines)
    assert not (tmp_path / "data").exists()


def test_the_plan_is_what_the_settings_say(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORAGE_SERVER__DRAIN_TIMEOUT", "7")
    monkeypatch.setenv("MOORAGE_SERVER__KEEP_ALIVE", "PT1M")
    args = ("--workers", "3", "--server", "granian", "--listen", "127.0.0.1:5001", "--data", tmp_path / "data")
    result = moorage("serve", "--open", *args)
    assert result.exit_code == 0, result.stderr
    plan = engine.plan
    assert (plan.workers, plan.drain_timeout, plan.keep_alive, plan.port) == (3, 7.0, 60.0, 5001)
    assert timedelta(seconds=plan.header_timeout) == timedelta(seconds=10)


def test_without_a_number_there_is_a_worker_for_each_core_and_four_at_most(tmp_path: Path, engine: Engine) -> None:
    moorage("serve", "--open", "--data", tmp_path / "data")
    assert engine.plan.workers == min(os.cpu_count() or 1, 4)


def test_it_tells_where_it_is_and_what_to_type(tmp_path: Path, engine: Engine) -> None:
    result = moorage("serve", "--open", "--data", tmp_path / "data")
    assert f"is ready at http://127.0.0.1:5001, its data in {tmp_path / 'data'}" in result.stderr
    assert "everyone who reaches this address may read and write everything" in result.stderr
    assert "docker push 127.0.0.1:5001/IMAGE" in result.stderr
    assert result.stdout == ""


def test_a_directory_that_holds_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    result = moorage("serve", "--open", "--data", tmp_path)
    assert result.exit_code == 1
    assert "thesis.txt" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.txt"]


def held(path: str, ready: Any, done: Any) -> None:
    """In another process: have the data directory."""
    with Layout.open(Path(path), create=True).lock():
        ready.set()
        done.wait(60)


def test_a_directory_that_another_server_has_is_refused(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=held, args=(str(tmp_path / "data"), ready, done))
    process.start()
    try:
        assert ready.wait(60)
        result = moorage("serve", "--open", "--data", tmp_path / "data")
    finally:
        done.set()
        process.join(60)
    assert result.exit_code == 1
    assert f"in use by process {process.pid}" in result.stderr


def test_a_newer_database_is_refused(tmp_path: Path, engine: Engine) -> None:
    assert moorage("serve", "--open", "--data", tmp_path / "data").exit_code == 0
    with sqlite3.connect(tmp_path / "data" / "moorage.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    result = moorage("serve", "--open", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "a newer Moorage has upgraded it" in result.stderr


def test_a_damaged_database_is_told(tmp_path: Path, engine: Engine) -> None:
    Layout.open(tmp_path / "data", create=True)
    (tmp_path / "data" / "moorage.db").write_bytes(b"rubbish" * 1000)
    result = moorage("serve", "--open", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "not a database" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_engine_that_is_not_installed_is_told_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "granian", None)
    for name in [name for name in sys.modules if name.startswith(("granian.", "registry.serving.granian_engine"))]:
        monkeypatch.delitem(sys.modules, name)
    result = moorage("serve", "--open", "--server", "granian", "--listen", "127.0.0.1:0", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "pip install 'moorage[granian]'" in result.stderr


def test_an_engine_that_nobody_knows_is_told(tmp_path: Path) -> None:
    result = moorage("serve", "--open", "--server", "apache", "--data", tmp_path / "data")
    assert (result.exit_code, "server.engine (from the command line)" in result.stderr) == (2, True)
