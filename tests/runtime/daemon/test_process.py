"""The daemon as a process: one a data root, started, stopped and killed in good order, or started by its socket."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.asgi import Raw
from tests.parts.engine import RunningEngine, UnixConnection, moor_program, start_engine

pytestmark = pytest.mark.e2e

WITHIN = 30.0
IDLE_LIMIT = 60 * 2**20
"""Bytes of memory of its own that an idle daemon may hold."""


@pytest.fixture(scope="module")
def engine() -> Iterator[RunningEngine]:
    with start_engine() as running:
        yield running


def eventually(holds: Callable[[], bool]) -> bool:
    limit = time.monotonic() + WITHIN
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True


def another(engine: RunningEngine, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start one more daemon, which should refuse."""
    command = [*engine.namespace.launcher, str(moor_program()), "daemon"]
    environment = engine.settings | settings
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=WITHIN, check=False)


def test_a_second_daemon_on_the_same_data_is_refused_and_does_no_harm(engine: RunningEngine, tmp_path: Path) -> None:
    assert engine.process is not None
    done = another(engine, MOOR_SOCKET=str(engine.directory / "other.sock"))
    assert done.returncode == 1
    assert f"moor: another daemon (process {engine.process.pid}) holds {engine.data}" in done.stderr
    assert engine.answers()


def test_a_second_daemon_on_the_same_socket_is_refused_and_does_no_harm(engine: RunningEngine, tmp_path: Path) -> None:
    done = another(engine, MOOR_DATA=str(tmp_path / "data"), MOOR_RUN=str(tmp_path / "run"))
    assert done.returncode == 1
    assert f"moor: cannot listen on {engine.socket}: another daemon answers there" in done.stderr
    assert engine.answers()


def test_settings_that_cannot_be_are_said_at_once(engine: RunningEngine) -> None:
    done = another(engine, MOOR_PARALEL_LAYERS="3")
    assert done.returncode == 1
    assert done.stderr.strip() == "moor: paralel_layers is no setting of the engine; parallel_layers is"


def test_an_idle_daemon_is_small(engine: RunningEngine) -> None:
    """After the questions that load the most code; PSS counts shared pages by their share."""
    assert engine.process is not None
    for path in (
        "/version",
        "/info",
        "/images/json",
        "/containers/json?all=1",
        "/system/df",
        "/events?since=0&until=1",
    ):
        assert engine.request("GET", path)[0] == 200
    rollup = Path(f"/proc/{engine.process.pid}/smaps_rollup").read_text()
    size = int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))) * 1024
    assert size < IDLE_LIMIT, f"{size / 2**20:.1f} MiB"


def test_told_to_stop_it_ends_streams_and_removes_its_socket(engine: RunningEngine) -> None:
    with Raw(engine.socket) as watching:
        watching.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        watching.until(b"\r\n\r\n")
        begun = time.monotonic()
        assert engine.stop() == 0
        assert time.monotonic() - begun < 9, "an open stream held the daemon up"
        assert watching.rest() == b""
    assert not engine.socket.exists()
    engine.start()


@pytest.mark.slow
def test_told_to_stop_it_does_not_wait_for_a_registry_that_is_silent(engine: RunningEngine) -> None:
    silent = engine.namespace.inside(lambda: socket.create_server(("127.0.0.1", 0)))
    host = f"127.0.0.1:{silent.getsockname()[1]}"
    with silent, Raw(engine.socket) as client:
        client.send(b"POST /images/create?fromImage=%b/app&tag=1 HTTP/1.1\r\nHost: x\r\n\r\n" % host.encode())
        silent.settimeout(WITHIN)
        with silent.accept()[0]:
            assert engine.stop() == 0
            assert "not all work came to its end" in engine.tail()
    engine.start()


def test_killed_it_leaves_nothing_in_the_way_of_the_next(engine: RunningEngine) -> None:
    for _ in range(3):
        engine.kill()
        assert engine.socket.exists()
        engine.start()
        assert engine.request("GET", "/info")[0] == 200


def test_asked_where_it_stands_it_says_it_and_goes_on(engine: RunningEngine) -> None:
    assert engine.process is not None
    engine.process.send_signal(signal.SIGUSR1)
    assert eventually(lambda: "most recent call first" in engine.tail())
    assert engine.answers()


def test_a_daemon_started_by_its_socket_serves_who_came_before_it_was_ready(engine: RunningEngine) -> None:
    """As systemd does it: the socket listens first, and the daemon is started with it as descriptor 3."""
    engine.stop()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        listener.bind(str(engine.socket))
        listener.listen()
        manager.bind(str(engine.directory / "notify"))
        manager.settimeout(WITHIN)
        early = UnixConnection(engine.socket)
        early.request("GET", "/_ping")
        daemon = _activated(engine, listener)
        try:
            assert manager.recv(100) == b"READY=1"
            assert early.getresponse().read() == b"OK"
            assert json.loads(engine.docker("version", "--format", "{{json .Server}}"))["ApiVersion"] == "1.47"
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(WITHIN) == 0
            assert manager.recv(100) == b"STOPPING=1"
            assert engine.socket.exists(), "systemd's socket is systemd's to remove"
        finally:
            daemon.kill()
            daemon.wait()
            early.close()
    engine.socket.unlink()
    engine.start()


def _activated(engine: RunningEngine, listener: socket.socket) -> "subprocess.Popen[bytes]":
    script = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    program = (sys.executable, "-c", script, str(listener.fileno()), str(moor_program()), "daemon")
    command = [*engine.namespace.launcher, *program]
    environment = engine.settings | {"NOTIFY_SOCKET": str(engine.directory / "notify")}
    with engine.log.open("ab") as log:
        return subprocess.Popen(
            command, env=environment, pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def test_it_hands_no_descriptor_to_the_programs_it_runs(engine: RunningEngine) -> None:
    """A container's supervisor that held the lock or the socket would keep the next daemon from starting."""
    assert engine.process is not None
    process = Path(f"/proc/{engine.process.pid}")
    inherited = []
    for entry in (process / "fd").iterdir():
        flags = (process / "fdinfo" / entry.name).read_text().split("flags:")[1].split()[0]
        if int(entry.name) > 2 and not int(flags, 8) & os.O_CLOEXEC:
            inherited.append(entry.readlink())
    assert inherited == []
