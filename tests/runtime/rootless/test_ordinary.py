"""An ordinary user's engine: load, run, exec, logs, and what it cannot do is said."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import COMMANDS, busybox_tar, docker_archive
from tests.parts.ordinary import UID, ordinary_user
from tests.parts.tools import require

pytestmark = pytest.mark.e2e

IMAGE = "team/busybox:1"


@pytest.fixture(scope="module")
def engine() -> Iterator[RunningEngine]:
    """A daemon of the user's."""
    machine = Path(tempfile.mkdtemp(prefix="moor-m-", dir="/tmp"))
    machine.chmod(0o755)
    try:
        with ordinary_user(machine) as user, start_engine(user, owner=UID) as running:
            archive = running.directory / "busybox.tar"
            docker_archive(archive, IMAGE, [busybox_tar(require("busybox"), (*COMMANDS, "nc"))], command=("/bin/sh",))
            running.docker("load", "--input", archive)
            yield running
    finally:
        shutil.rmtree(machine, ignore_errors=True)


def test_it_runs_and_is_root_inside_alone(engine: RunningEngine) -> None:
    said = engine.docker("run", "--rm", "--network=none", IMAGE, "cat", "/proc/self/uid_map")
    assert said.split()[:3] == ["0", "0", "1"] or str(UID) in said
    assert engine.data.stat().st_uid == UID


def test_exec_logs_and_stop(engine: RunningEngine) -> None:
    name = engine.docker("run", "-d", "--network=none", IMAGE, "sh", "-c", "echo ready; sleep 600")
    assert engine.docker("exec", name, "echo", "within") == "within"
    assert engine.docker("logs", name) == "ready"
    engine.docker("stop", "--time", "1", name)
    assert engine.docker("inspect", "--format", "{{.State.Status}}", name) == "exited"
    engine.docker("rm", name)


def test_a_port_is_published_on_the_machine(engine: RunningEngine) -> None:
    serve = "while true; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nserved' | nc -l -p 80; done"
    name = engine.docker("run", "-d", "-p", "8093:80", IMAGE, "sh", "-c", serve)
    asked = ("curl", "--silent", "--fail", "--retry", "20", "--retry-all-errors", "--retry-delay", "1")
    assert engine.namespace(*asked, "http://127.0.0.1:8093/") == "served"
    engine.docker("rm", "--force", name)
    with pytest.raises(CommandFailed):
        engine.namespace("curl", "--silent", "--max-time", "3", "http://127.0.0.1:8093/")


def test_a_daemon_that_was_killed_comes_back_to_its_containers(engine: RunningEngine) -> None:
    name = engine.docker("run", "-d", "--network=none", IMAGE, "sleep", "600")
    engine.kill()
    engine.start()
    assert engine.docker("inspect", "--format", "{{.State.Running}}", name) == "true"
    assert engine.docker("exec", name, "echo", "still") == "still"
    engine.docker("rm", "--force", name)


def test_a_limit_that_cannot_be_set_is_said(engine: RunningEngine) -> None:
    """On cgroup v1 an ordinary user has none."""
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("this machine has cgroup v2 alone, on which an ordinary user may have limits")
    created = warnings(engine, "create", "--memory", "64m", "--network=none", IMAGE, "true")
    assert "does not support memory limit" in created
    assert "no control group for memory" in warnings(engine, "info")


def warnings(engine: RunningEngine, *arguments: str) -> str:
    """What the stock docker command says beside its answer."""
    command = [require("docker"), "--host", f"unix://{engine.socket}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr
