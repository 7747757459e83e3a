"""Listening on a socket file: its mode, its end, and what may be in its way."""

import signal
import stat
from pathlib import Path

import pytest

from tests.serving.conftest import Serve


@pytest.mark.parametrize("workers", [1, 2])
def test_it_answers_and_takes_its_file_away(serve: Serve, tmp_path: Path, workers: int) -> None:
    path = tmp_path / "moorage.sock"
    server = serve(uds=str(path), workers=workers)
    assert server.url == f"unix:{path}"
    assert server.ask("/hello").body == b"GET /hello"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert server.stop() == 0
    assert not path.exists()


def test_a_file_that_a_killed_server_left_is_replaced(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "moorage.sock"
    server = serve(uds=str(path))
    server.stop(signal.SIGKILL)
    assert path.exists()
    assert serve(uds=str(path)).ask().status == 200


def test_a_file_in_use_is_left_alone(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "moorage.sock"
    first = serve(uds=str(path))
    second = serve(uds=str(path))
    assert second.process.wait(10) == 1
    assert "in use" in second.log.read_text()
    assert first.ask().status == 200


def test_a_file_that_is_not_a_socket_is_left_alone(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    server = serve(uds=str(path))
    assert server.process.wait(10) == 1
    assert "not a socket" in server.log.read_text()
    assert path.read_text() == "data"
