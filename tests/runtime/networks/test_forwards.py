"""slirp4netns publishes our ports: asked as it wants to be asked, and its refusals told."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.networks.forwards import ForwardRefused, Forwards
from tests.parts.commands import stop, wait_until
from tests.parts.netns import new_namespace
from tests.parts.server import free_port
from tests.parts.tools import require

pytestmark = pytest.mark.e2e

GUEST = "10.0.2.100"


@pytest.fixture
def forwards(tmp_path: Path) -> Iterator[Forwards]:
    """A slirp4netns of the test's own, for a namespace of its own."""
    with new_namespace() as namespace:
        socket_path = tmp_path / "api"
        target = subprocess.Popen([*namespace.launcher, "sleep", "600"])
        wait_until(lambda: _command(target.pid) == "sleep", "entering the namespace", tmp_path / "log")
        slirp = subprocess.Popen(
            [require("slirp4netns"), "--configure", "--api-socket", str(socket_path), str(target.pid), "tap0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(socket_path.exists, "starting slirp4netns", tmp_path / "log")
            yield Forwards(socket_path, GUEST)
        finally:
            stop(slirp)
            stop(target)


def _command(pid: int) -> str:
    """What a process runs: slirp4netns looks at its namespace once, and nsenter is still in ours at first."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_port_is_published_listed_and_given_back(forwards: Forwards) -> None:
    port = free_port()
    forward = forwards.open("tcp", "127.0.0.1", port)
    assert forwards.all() == [forward]
    with pytest.raises(ForwardRefused):
        forwards.open("tcp", "127.0.0.1", port)
    forwards.close(forward)
    forwards.close(forward)
    assert forwards.all() == []
    forwards.close(forwards.open("tcp", "127.0.0.1", port))


def test_nobody_listening_is_told(tmp_path: Path) -> None:
    with pytest.raises(ForwardRefused, match="does not answer"):
        Forwards(tmp_path / "none", GUEST).all()
