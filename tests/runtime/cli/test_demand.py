"""A daemon that does not run is started by the first command, and by one alone of many."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.parts.netns import Namespace, new_namespace
from tests.parts.tools import require, require_root
from tests.runtime.cli.conftest import CODE

pytestmark = pytest.mark.e2e
WITHIN = 60.0


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """Where the daemon may make bridges."""
    require_root()
    for tool in ("runc", "conmon", "nft", "ip"):
        require(tool)
    with new_namespace() as made:
        yield made


def moor(namespace: Namespace, directory: Path, *words: str, **settings: str) -> subprocess.Popen[str]:
    """Start `moor` with its settings in a directory, and no daemon named."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOOR_", "DOCKER_"))}
    mine = {
        "MOOR_CONFIG": "/dev/null",
        "MOOR_DATA": str(directory / "data"),
        "MOOR_RUN": str(directory / "run"),
        "MOOR_SOCKET": str(directory / "run" / "engine.sock"),
        "PYTHONPATH": str(ROOT),
    }
    command = [*namespace.launcher, sys.executable, "-c", CODE, *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept | mine | settings
    )


@pytest.fixture
def ended(short: Path) -> Iterator[None]:
    """The daemon that the test's commands started is gone in the end."""
    yield
    lock = short / "data" / "lock"
    if lock.exists() and (text := lock.read_text().strip()):
        pid = int(text)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        limit = time.monotonic() + WITHIN
        while Path(f"/proc/{pid}").exists() and time.monotonic() < limit:
            time.sleep(0.02)


@pytest.mark.usefixtures("ended")
def test_many_commands_at_once_start_one_daemon(short: Path, namespace: Namespace) -> None:
    commands = [moor(namespace, short, "ps", "-q") for _ in range(4)]
    ends = [(command.communicate(timeout=WITHIN), command.returncode) for command in commands]
    assert ends == [(("", ""), 0)] * 4
    log = (short / "run" / "daemon.log").read_text()
    assert log.count("listening on") == 1 and "another daemon" not in log
    pid = int((short / "data" / "lock").read_text())
    again = moor(namespace, short, "version", "-f", "{{.Server.ApiVersion}}")
    assert again.communicate(timeout=WITHIN) == ("1.47\n", "")
    assert int((short / "data" / "lock").read_text()) == pid


@pytest.mark.usefixtures("ended")
def test_a_daemon_that_cannot_start_says_why(short: Path, namespace: Namespace) -> None:
    (short / "data").write_text("a file where the data directory should be")
    command = moor(namespace, short, "ps", MOOR_DATA=str(short / "data" / "below"))
    out, err = command.communicate(timeout=WITHIN)
    assert (command.returncode, out) == (1, "")
    assert err.startswith("the engine could not be started:\n") and "cannot use" in err


def test_wrong_settings_are_told_before_anything_is_started(short: Path, namespace: Namespace) -> None:
    command = moor(namespace, short, "ps", MOOR_SOKET="x")
    out, err = command.communicate(timeout=WITHIN)
    assert (command.returncode, out) == (1, "")
    assert "soket is no setting of the engine; socket is" in err
    assert not (short / "run").exists()
