"""The daemon is killed at random moments; what it acknowledged before stays true, and nothing is left or doubled.

A client goes on with its list of commands; each may fail once, while no daemon answers. Afterwards every container that
was acknowledged is there once, every one that was removed is gone, addresses differ, exit codes and logs are whole, and
when all are removed no mount, rule, address or directory is left.
"""

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine, start_engine
from tests.parts.tools import require
from tests.runtime.whole.conftest import IMAGE

pytestmark = pytest.mark.faults

KILLS = 50 if os.environ.get("MOORAGE_TEST_ALL") == "1" else 8
LINES = 200


@pytest.fixture
def killed(archive: Path) -> Iterator[RunningEngine]:
    """A daemon of the test's own."""
    with start_engine() as running:
        running.docker("load", "--input", archive)
        yield running


def _docker(engine: RunningEngine) -> tuple[str, ...]:
    return (require("docker"), "--host", f"unix://{engine.socket}")


def asked(engine: RunningEngine, *arguments: str) -> str | None:
    """Run one command; None when it failed, as it may when the daemon dies under it."""
    try:
        return engine.docker(*arguments)
    except CommandFailed:
        return None


def test_killed_at_random_moments(killed: RunningEngine) -> None:
    chance = random.Random(20261125)
    long_lived = [killed.docker("run", "-d", "--name", f"stays-{n}", IMAGE, "sleep", "3000") for n in range(3)]
    finished: dict[str, int] = {}
    for turn in range(KILLS):
        code = chance.randrange(1, 100)
        script = f"seq 1 {LINES}; sleep {chance.choice(['0', '0.1', '0.3'])}; exit {code}"
        name = f"ends-{turn}"
        client = subprocess.Popen(
            [*_docker(killed), "run", "-d", "--name", name, IMAGE, "sh", "-c", script],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0, 0.4))  # the moment is what varies; nothing is waited for
        killed.kill()
        acknowledged = client.wait(60) == 0
        killed.start()
        status = asked(killed, "inspect", "--format", "{{.State.Status}}", name)
        assert status is not None or not acknowledged, f"{name} was acknowledged and is gone"
        if status is not None:
            if status == "created":
                killed.docker("start", name)
            finished[name] = code
    _check(killed, long_lived, finished)


def _check(engine: RunningEngine, long_lived: list[str], finished: dict[str, int]) -> None:
    names = engine.docker("ps", "--all", "--format", "{{.Names}}").split()
    assert len(names) == len(set(names))
    for name in long_lived:
        assert engine.docker("inspect", "--format", "{{.State.Running}} {{.RestartCount}}", name) == "true 0"
    inspected = json.loads(engine.docker("inspect", *long_lived))
    addresses = [found["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] for found in inspected]
    assert len(set(addresses)) == len(addresses) and all(addresses)
    for name, code in finished.items():
        assert engine.docker("wait", name) == str(code), name
        assert engine.docker("logs", name).split() == [str(n) for n in range(1, LINES + 1)], name
    assert finished, "every run was killed before the daemon had acknowledged it: nothing was tested"
    engine.remove_containers()
    assert engine.docker("ps", "--all", "--quiet") == ""
    assert not list((engine.data / "containers").iterdir())
    assert str(engine.directory) not in Path("/proc/self/mountinfo").read_text()
    assert json.loads(engine.docker("network", "inspect", "bridge"))[0]["Containers"] == {}
