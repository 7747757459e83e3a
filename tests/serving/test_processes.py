"""Workers: started, shared, replaced, drained, and never left behind."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.conftest import Serve
from tests.serving.running import Connection, running, wait_for


def alive(pid: int) -> bool:
    """Say whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def refuses(port: int) -> bool:
    """Say whether nobody listens on a port."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


@contextlib.contextmanager
def many(port: int, count: int) -> Iterator[list[Connection]]:
    """Hold many connections at once."""
    connections = [Connection(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]
    yield connections
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_port_zero_is_announced_and_answers(serve: Serve, workers: int) -> None:
    server = serve(workers=workers)
    assert server.ask("/hello").body == b"GET /hello"


def test_one_worker_needs_no_supervisor(serve: Serve) -> None:
    server = serve()
    assert int(server.ask("/pid").body) == server.process.pid


def test_several_workers_share_the_port(serve: Serve) -> None:
    server = serve(workers=2)
    seen: set[int] = set()

    def both_answered() -> bool:
        # Connections are held open in numbers: one worker alone may take those that come one after the other.
        with many(server.port, 16) as connections:
            seen.update(int(connection.ask("/pid").body) for connection in connections)
        return len(seen) == 2

    wait_for(both_answered, "an answer of each worker")
    assert seen == set(server.workers())


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_0_and_ends_the_application(serve: Serve, workers: int, number: int) -> None:
    server = serve(workers=workers)
    server.ask()
    with server.connect() as idle:
        idle.ask()
        began = time.monotonic()
        assert server.stop(number) == 0
        assert time.monotonic() - began < 5
    assert server.process.stdout is not None
    assert server.process.stdout.read().count("ended") == workers
    assert refuses(server.port)


@pytest.mark.parametrize("workers", [1, 2])
def test_draining_finishes_a_download_and_an_upload(serve: Serve, workers: int) -> None:
    server = serve(workers=workers)
    with server.connect() as down, server.connect() as up:
        down.send(b"GET /stream/20/50 HTTP/1.1\r\nHost: toy\r\n\r\n")
        up.send(b"PUT /upload HTTP/1.1\r\nHost: toy\r\nContent-Length: 10\r\n\r\n12345")
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: refuses(server.port), "the end of listening")
        assert server.process.poll() is None
        up.send(b"67890")
        assert up.answer().body.decode().endswith(" True")  # and the application knew that it was draining
        assert len(down.answer().body) == 20 * 65536
    assert server.process.wait(5) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_that_never_ends_is_cut_at_the_drain_limit(serve: Serve, workers: int) -> None:
    server = serve(workers=workers, drain_timeout=0.5)
    with server.connect() as stuck:
        stuck.send(b"GET /never HTTP/1.1\r\nHost: toy\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5
        assert stuck.closed_within(1)


def test_a_worker_that_dies_is_replaced(serve: Serve) -> None:
    server = serve(workers=2)
    before = set(server.workers())
    victim = before.copy().pop()
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(set(server.workers()) - {victim}) == 2, "a replacement")
    assert len(before & set(server.workers())) == 1
    for _ in range(10):  # nobody is refused meanwhile: the listening socket stays open in the parent
        assert server.ask().status == 200
    assert server.stop() == 0


def test_a_hangup_replaces_the_workers_one_new_beside_each_old(serve: Serve) -> None:
    server = serve(workers=2)
    before = set(server.workers())
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(server.workers()) == 2 and not before & set(server.workers()), "new workers")
    assert server.ask().status == 200
    assert server.stop() == 0


def test_a_killed_parent_takes_its_workers_along(serve: Serve) -> None:
    server = serve(workers=2)
    workers = server.workers()
    server.process.kill()
    wait_for(lambda: not any(alive(pid) for pid in workers), "the workers' end")
    wait_for(lambda: refuses(server.port), "a free port")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_application_that_cannot_start_ends_the_server(tmp_path: Path, engine: str, workers: int) -> None:
    with running(tmp_path, engine, fails=True, workers=workers) as server:
        assert server.process.wait(10) == 3
        assert server.url == ""


def test_an_address_in_use_is_said_in_words(tmp_path: Path, engine: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(tmp_path, engine, port=port, workers=2) as server:
            assert server.process.wait(10) == 1
            assert f"cannot listen on 127.0.0.1:{port}: the address is in use" in server.log.read_text()


def test_a_second_server_cannot_share_the_port(serve: Serve) -> None:
    first = serve(workers=2)
    second = serve(workers=2, port=first.port)
    assert second.process.wait(10) == 1
    assert first.ask().status == 200
