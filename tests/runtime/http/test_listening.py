"""The listening socket: whose it is, who may use it, and what is in its place already."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.http.listening import CannotListen, listening

NOBODY = "no-such-group-here"


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, for a socket's path has 107 characters at most."""
    made = Path(tempfile.mkdtemp(prefix="moor-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


def test_only_its_owner_may_connect_where_there_is_no_group(directory: Path) -> None:
    path = directory / "s"
    with listening(path, NOBODY, {}) as listener, socket.socket(socket.AF_UNIX) as client:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        client.connect(str(path))
        listener.accept()[0].close()
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives the socket to another group")
def test_the_group_may_connect_too(directory: Path) -> None:
    path = directory / "s"
    with listening(path, "daemon", {}):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert path.group() == "daemon"


def test_what_a_killed_daemon_left_is_replaced(directory: Path) -> None:
    path = directory / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with listening(path, NOBODY, {}), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_that_answers_is_left_alone(directory: Path) -> None:
    path = directory / "s"
    with listening(path, NOBODY, {}):
        with pytest.raises(CannotListen, match="another daemon answers there"), listening(path, NOBODY, {}):
            pass
        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_left_alone(directory: Path, kind: str) -> None:
    path, victim = directory / "s", directory / "victim"
    victim.write_text("precious")
    if kind == "file":
        path.write_text("mine")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(victim)
    with pytest.raises(CannotListen, match="no socket"), listening(path, NOBODY, {}):
        pass
    assert path.exists() and victim.read_text() == "precious"


def test_a_path_that_is_too_long_is_said(directory: Path) -> None:
    with pytest.raises(CannotListen, match="cannot listen on"), listening(directory / ("x" * 120), NOBODY, {}):
        pass


def test_a_socket_that_took_our_place_is_not_removed(directory: Path) -> None:
    path = directory / "s"
    with listening(path, NOBODY, {}):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"


HANDED = """
import os, socket, sys
os.dup2(int(sys.argv[2]), 3)
from pathlib import Path
from runtime.http.listening import CannotListen, listening
try:
    with listening(Path("/nowhere/s"), "none", {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": sys.argv[1]}) as listener:
        print(listener.getsockname(), os.get_inheritable(listener.fileno()))
except CannotListen as error:
    print(error)
"""


def handed(family: socket.AddressFamily, address: object, count: str = "1") -> str:
    """What a process says that is given a socket as systemd gives it: as descriptor 3."""
    with socket.socket(family) as given:
        given.bind(address)  # type: ignore[arg-type]  # of its family
        given.listen()
        number = given.fileno()
        command = [sys.executable, "-c", HANDED, count, str(number)]
        return subprocess.run(command, pass_fds=[number], capture_output=True, text=True, check=True).stdout.strip()


def test_a_socket_from_systemd_is_used_and_not_handed_on(directory: Path) -> None:
    assert handed(socket.AF_UNIX, str(directory / "s")) == f"{directory / 's'} False"
    assert (directory / "s").exists()


def test_other_sockets_from_systemd_are_refused(directory: Path) -> None:
    assert "is no unix stream socket" in handed(socket.AF_INET, ("127.0.0.1", 0))
    assert "hands over 2 sockets" in handed(socket.AF_UNIX, str(directory / "s"), "2")


def test_sockets_for_another_process_are_not_ours(directory: Path) -> None:
    path = directory / "s"
    with listening(path, NOBODY, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}):
        assert path.exists()
