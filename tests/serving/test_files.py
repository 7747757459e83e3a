"""Files by sendfile(2): whole (`http.response.pathsend`) and in parts (`http.response.zerocopysend`, uvicorn only)."""

import asyncio
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.serving.files import ConnectionGone, send_file
from tests.serving.conftest import Serve
from tests.serving.running import wait_for


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file larger than any socket's buffer, with a size that is no multiple of anything."""
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(2**20) * 24 + b"end")
    return path


def test_the_extensions_are_offered(serve: Serve) -> None:
    server = serve()
    offered = server.ask("/extensions").body.decode().split()
    assert "http.response.pathsend" in offered
    assert ("http.response.zerocopysend" in offered) == (server.engine == "uvicorn")


def test_a_whole_file_arrives_and_the_connection_lives_on(serve: Serve, file: Path) -> None:
    server = serve()
    with server.connect() as connection:
        for _ in range(3):
            assert connection.ask(f"/file?{file}").body == file.read_bytes()
        assert connection.ask("/hello").body == b"GET /hello"


def test_many_at_once(serve: Serve, file: Path) -> None:
    server = serve()
    connections = [server.connect() for _ in range(20)]
    opened = [connection.__enter__() for connection in connections]
    for one in opened:
        one.send(f"GET /file?{file} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
    content = file.read_bytes()
    assert all(one.answer().body == content for one in opened)
    for one in opened:
        one.close()


def test_head_of_a_file(serve: Serve, file: Path) -> None:
    server = serve()
    with server.connect() as connection:
        answer = connection.ask(f"/file?{file}", "HEAD")
        assert answer.headers["content-length"] == str(file.stat().st_size)
        assert connection.ask("/hello").body == b"GET /hello"


def test_an_empty_file(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert serve().ask(f"/file?{tmp_path / 'empty'}").body == b""


def test_parts_of_a_file(uvicorn: Serve, file: Path) -> None:
    server, content = uvicorn(), file.read_bytes()
    with server.connect() as connection:
        assert connection.ask(f"/part/5/100?{file}").body == content[5:105]
        parts = connection.ask(f"/part/0/1/{2**20}/5000000/7/7?{file}").body
        assert parts == content[:1] + content[2**20 : 2**20 + 5_000_000] + content[7:14]
        assert connection.ask("/hello").body == b"GET /hello"


def test_a_file_answer_and_pipelined_requests(serve: Serve, file: Path) -> None:
    server = serve()
    with server.connect() as connection:
        one = f"GET /file?{file} HTTP/1.1\r\nHost: t\r\n\r\n"
        connection.send((one + "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n" + one).encode())
        assert connection.answer().body == file.read_bytes()
        assert connection.answer().body == b"GET /hello"
        assert connection.answer().body == file.read_bytes()


def test_a_file_that_is_too_short_never_looks_whole(uvicorn: Serve, file: Path) -> None:
    server = uvicorn()
    with server.connect() as connection:
        answer = connection.ask(f"/file/short?{file}")
        assert len(answer.body) == file.stat().st_size == int(answer.headers["content-length"]) - 1
        assert connection.closed_within(5)


def test_a_missing_file_is_500(uvicorn: Serve, tmp_path: Path) -> None:
    server = uvicorn()
    (tmp_path / "there").touch()
    assert server.ask(f"/file?{tmp_path / 'nowhere'}").status == 500


def test_a_reader_that_stalls_is_cut_and_leaks_nothing(uvicorn: Serve, file: Path) -> None:
    server = uvicorn(write_stall=0.6)
    open_files = Path(f"/proc/{server.process.pid}/fd")
    server.ask(f"/file?{file}")
    before = len(list(open_files.iterdir()))
    with server.connect() as connection:
        connection.send(f"GET /file?{file} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        time.sleep(3)
        assert len(connection.answer().body) < file.stat().st_size
    wait_for(lambda: len(list(open_files.iterdir())) <= before, "no descriptor left")


def test_a_slow_reader_that_moves_is_served(uvicorn: Serve, file: Path) -> None:
    server = uvicorn(write_stall=1.5)
    with server.connect() as connection:
        connection.send(f"GET /file?{file} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        got = b""
        began = time.monotonic()
        while time.monotonic() - began < 3.5:
            got += connection.sock.recv(65536)
            time.sleep(0.1)
        connection.kept = got
        assert connection.answer().body == file.read_bytes()


def test_clients_that_leave_leak_nothing(serve: Serve, file: Path) -> None:
    server = serve()
    open_files = Path(f"/proc/{server.process.pid}/fd")
    server.ask(f"/file?{file}")
    before = len(list(open_files.iterdir()))
    for n in range(20):
        with server.connect() as connection:
            connection.send(f"GET /file?{file} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
            connection.exactly(n * 100_000)
            if n % 2:
                connection.reset()
    wait_for(lambda: len(list(open_files.iterdir())) <= before, "no descriptor left")
    assert server.ask(f"/file?{file}").body == file.read_bytes()
    assert server.stop() == 0


def test_slow_readers_hold_no_thread(uvicorn: Serve, file: Path) -> None:
    """More stalled readers than threads: the next reader is served all the same."""
    server = uvicorn()
    stalled = [server.connect() for _ in range(40)]
    for context in stalled:
        connection = context.__enter__()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.send(f"GET /file?{file} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
    assert server.ask(f"/file?{file}").body == file.read_bytes()
    for context in stalled:
        context.__exit__(None, None, None)


class FullTransport(asyncio.Transport):
    """A transport whose client does not read what was sent before."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def get_write_buffer_size(self) -> int:
        self.asked += 1
        return 1


def test_waiting_for_a_slow_reader_does_not_spin() -> None:
    transport = FullTransport()

    async def scenario() -> None:
        end = asyncio.get_running_loop().time() + 0.5
        with ThreadPoolExecutor(1) as pool, pytest.raises(ConnectionGone):
            await send_file(
                -1, 0, 1, transport=transport, pool=pool, sent=print,
                gone=lambda: asyncio.get_running_loop().time() > end,
            )  # fmt: skip

    asyncio.run(scenario())
    assert transport.asked < 50
