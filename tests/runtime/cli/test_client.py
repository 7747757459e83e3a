"""The client against daemons that answer in every way HTTP allows, and some that it does not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.cli.answers import Broken
from runtime.cli.client import Client, Refused, Unreachable, segment

PING = b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Length: 0\r\n\r\n"
Script = Callable[[socket.socket, bytes], None]


@contextmanager
def daemon(directory: Path, *answers: bytes) -> Iterator[tuple[Client, list[bytes]]]:
    """A daemon that gives these answers, one a request over all its connections; and what it was asked."""
    path, asked = directory / "d.sock", list[bytes]()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    left = [PING, *answers]

    def converse(connection: socket.socket) -> None:
        with connection:
            while request := head(connection):
                asked.append(request)
                said = left.pop(0)
                connection.sendall(said)
                if b"Connection: close" in said or b"101 UPGRADED" in said or not left:
                    return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    client = Client(str(path))
    try:
        yield client, asked
    finally:
        client.close()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def head(connection: socket.socket) -> bytes:
    """A request's head, and as much of its body as came with it."""
    found = b""
    while b"\r\n\r\n" not in found:
        block = connection.recv(1 << 16)
        if not block:
            return b""
        found += block
    return found


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer with this body, as long as it is unless the headers say otherwise."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_one_connection_serves_many_requests_in_the_older_version_of_both(short: Path) -> None:
    with daemon(short, answer(b'{"a": 1}'), answer(b"[]")) as (client, asked):
        assert client.json("/one", {"x": "a b", "y": True, "z": None, "w": ["1", "2"]}) == {"a": 1}
        assert client.json("/two") == []
    assert [line.split(b"\r\n")[0] for line in asked] == [
        b"HEAD /_ping HTTP/1.1",
        b"GET /v1.45/one?x=a+b&y=1&w=1&w=2 HTTP/1.1",
        b"GET /v1.45/two HTTP/1.1",
    ]


def test_chunks_lines_and_a_body_to_the_connections_end(short: Path) -> None:
    chunked = answer(
        b'8\r\n{"a":1}\n\r\n4;x=y\r\n{"b"\r\n5\r\n:2}\r\n\r\n0\r\nTrailer: x\r\n\r\n', "Transfer-Encoding: chunked"
    )
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"
    with daemon(short, chunked, endless) as (client, _):
        assert list(client.ask("GET", "/events").documents()) == [{"a": 1}, {"b": 2}]
        assert client.ask("GET", "/x").read() == b"all of it"


def test_an_error_is_the_daemons_sentence(short: Path) -> None:
    no = answer(b'{"message":"No such image: x"}', status="404 Not Found")
    plain = answer(b"upstream is down\n", status="502 Bad Gateway")
    empty = answer(b"", status="500 Internal Server Error")
    with daemon(short, no, plain, empty) as (client, _):
        for status, sentence in (
            (404, "No such image: x"),
            (502, "upstream is down"),
            (500, "the daemon answered 500"),
        ):
            with pytest.raises(Refused) as told:
                client.json("/x")
            assert (told.value.status, str(told.value)) == (status, sentence)


def test_answers_without_a_body_leave_the_connection_usable(short: Path) -> None:
    head_answer = b"HTTP/1.1 200 OK\r\nX-Stat: y\r\nContent-Length: 100\r\n\r\n"
    with daemon(short, answer(b"", status="204 No Content"), head_answer, answer(b"1")) as (client, _):
        assert client.do("POST", "/start") is None
        assert client.ask("HEAD", "/archive").headers["x-stat"] == "y"
        assert client.json("/x") == 1


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        answer(b"short", "Content-Length: 50"),
        answer(b"5\r\nab", "Transfer-Encoding: chunked"),
        answer(b"{"),
    ],
)
def test_what_is_no_answer_is_told_as_such(short: Path, broken: bytes) -> None:
    with daemon(short, broken) as (client, _), pytest.raises(Broken):
        client.json("/x")


def test_a_stream_is_sent_in_chunks_and_the_answer_may_come_first(short: Path) -> None:
    with daemon(short, answer(b'{"ok":true}')) as (client, asked):
        assert client.ask("POST", "/build", body=iter([b"abc", b"", b"defg"])).json() == {"ok": True}
    assert b"Transfer-Encoding: chunked" in asked[1]


def test_a_hijacked_connection_is_raw_from_the_first_byte_on(short: Path) -> None:
    upgraded = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst bytes"
    with daemon(short, upgraded) as (client, asked):
        stream = client.hijack("/attach", {"stream": 1})
        assert stream.exactly(5) == b"first"
        assert stream.read() == b" bytes"
        assert stream.read() == b""
        stream.write_eof()
        stream.close()
    assert b"Upgrade: tcp" in asked[1]


def test_a_refused_hijack_is_an_error(short: Path) -> None:
    refusal = answer(b'{"message":"no"}', status="409 Conflict")
    with daemon(short, refusal) as (client, _), pytest.raises(Refused, match="no"):
        client.hijack("/attach")


def test_nobody_there_says_where_and_what_to_do(short: Path) -> None:
    with pytest.raises(Unreachable, match=r"at unix://.*nobody\.sock\. Is the engine running\?") as told:
        Client(str(short / "nobody.sock")).json("/x")
    assert told.value.absent


def test_a_socket_that_may_not_be_used_is_told_and_no_daemon_is_started(short: Path) -> None:
    (short / "file").write_text("")
    with pytest.raises(Unreachable):
        Client(str(short / "file" / "engine.sock")).json("/x")


def test_names_are_quoted_into_paths() -> None:
    assert segment("r.test:5/a/b:1@sha256:x") == "r.test:5/a/b:1@sha256:x"
    assert segment("a?b#c d%\n") == "a%3Fb%23c%20d%25%0A"
