"""20 MB each way, byte for byte: through run, exec, attach and logs, by the stock docker command."""

import hashlib
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.parts.engine import RunningEngine
from tests.parts.tools import require
from tests.runtime.whole.conftest import IMAGE

pytestmark = pytest.mark.e2e

SIZE = 20 * 10**6


@pytest.fixture(scope="module")
def noise() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture
def container(engine: RunningEngine) -> Iterator[str]:
    yield engine.docker("run", "--detach", "--network=none", IMAGE, "sleep", "600")
    engine.remove_containers()


def through(engine: RunningEngine, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run docker with bytes in and out."""
    command = [require("docker"), "--host", f"unix://{engine.socket}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def same(found: bytes, wanted: bytes) -> bool:
    """Compared by digest, so that a failure does not print 20 MB."""
    return (len(found), hashlib.sha256(found).hexdigest()) == (len(wanted), hashlib.sha256(wanted).hexdigest())


def test_both_ways_through_run(engine: RunningEngine, noise: bytes) -> None:
    assert same(through(engine, "run", "--rm", "-i", "--network=none", IMAGE, "cat", stdin=noise), noise)


def test_both_ways_through_exec(engine: RunningEngine, container: str, noise: bytes) -> None:
    assert same(through(engine, "exec", "-i", container, "cat", stdin=noise), noise)


def test_out_of_logs(engine: RunningEngine) -> None:
    """Text, for a log has lines: 20 MB of numbers, as a container that has ended printed them."""
    wanted = "".join(f"{number}\n" for number in range(1, 2_700_001)).encode()
    assert len(wanted) > SIZE
    name = engine.docker("run", "--detach", "--network=none", IMAGE, "seq", "1", "2700000")
    engine.docker("wait", name)
    assert same(through(engine, "logs", name), wanted)
    engine.remove_containers()


def test_both_ways_through_attach(engine: RunningEngine, noise: bytes) -> None:
    name = engine.docker("create", "--interactive", "--network=none", IMAGE, "cat")
    assert same(through(engine, "start", "--attach", "--interactive", name, stdin=noise), noise)
    engine.remove_containers()


def test_streams_are_kept_apart(engine: RunningEngine) -> None:
    command = [require("docker"), "--host", f"unix://{engine.socket}", "run", "--rm", "--network=none", IMAGE]
    done = subprocess.run(
        [*command, "sh", "-c", "echo out; echo err >&2; exit 7"], capture_output=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
