"""The head of a request: its bounds at L and L+1, its deadline, and what is no request at all."""

import socket
import time

import pytest

from tests.serving.conftest import Serve
from tests.serving.running import Answer, Running

LIMIT = 4096
BASE = "GET /hello HTTP/1.1\r\nHost: toy\r\n"


def ask_raw(server: Running, raw: str | bytes) -> Answer:
    """Send bytes and read one answer."""
    with server.connect() as connection:
        connection.send(raw if isinstance(raw, bytes) else raw.encode("latin-1"))
        return connection.answer()


def padded(size: int) -> str:
    """Make a head of exactly this many bytes."""
    fixed = len(BASE) + len("X-Pad: \r\n\r\n")
    return f"{BASE}X-Pad: {'p' * (size - fixed)}\r\n\r\n"


def refused(answer: Answer, status: int, code: str = "UNSUPPORTED") -> None:
    """Check an OCI error that ends its connection."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["connection"] == "close"
    assert answer.error["code"] == code
    assert answer.error["message"]


def test_a_head_of_the_largest_size_passes(serve: Serve) -> None:
    server = serve(max_header_bytes=LIMIT)
    assert ask_raw(server, padded(LIMIT)).body == b"GET /hello"


def test_a_head_one_byte_larger_is_431(serve: Serve) -> None:
    server = serve(max_header_bytes=LIMIT)
    refused(ask_raw(server, padded(LIMIT + 1)), 431)
    assert server.ask().status == 200


def test_the_request_line_counts(serve: Serve) -> None:
    server = serve(max_header_bytes=LIMIT)
    refused(ask_raw(server, f"GET /{'a' * LIMIT} HTTP/1.1\r\nHost: toy\r\n\r\n"), 431)
    refused(ask_raw(server, f"GET /a?{'q' * LIMIT} HTTP/1.1\r\nHost: toy\r\n\r\n"), 431)


@pytest.mark.parametrize(("fields", "status"), [(100, 200), (101, 431)])
def test_fields_are_counted(uvicorn: Serve, fields: int, status: int) -> None:
    server = uvicorn()
    answer = ask_raw(server, BASE + "".join(f"X-{n}: v\r\n" for n in range(fields - 1)) + "\r\n")
    assert answer.status == status


def test_fields_are_counted_below_the_parsers_own_limit(serve: Serve) -> None:
    server = serve(max_headers=20)
    assert ask_raw(server, BASE + "".join(f"X-{n}: v\r\n" for n in range(19)) + "\r\n").status == 200
    refused(ask_raw(server, BASE + "".join(f"X-{n}: v\r\n" for n in range(20)) + "\r\n"), 431)


def test_a_head_without_an_end_is_431(uvicorn: Serve) -> None:
    server = uvicorn(max_header_bytes=LIMIT)
    with server.connect() as connection:
        connection.send(f"{BASE}X-Pad: ".encode() + b"p" * LIMIT)
        refused(connection.answer(), 431)
        assert connection.closed_within(5)


def test_a_large_body_is_not_counted_as_a_head(serve: Serve) -> None:
    server = serve(max_header_bytes=LIMIT)
    with server.connect() as connection:
        head = f"PUT /upload HTTP/1.1\r\nHost: toy\r\nContent-Length: {LIMIT * 4}\r\n\r\n".encode()
        # The next request begins in the chunk that ends this body, and is finished in another.
        connection.send(head + b"b" * LIMIT * 4 + b"GET /hello HTTP/1.1\r\nHo")
        assert connection.answer().body.startswith(str(LIMIT * 4).encode())
        connection.send(b"st: toy\r\n\r\n")
        assert connection.answer().body == b"GET /hello"


def test_the_second_of_two_pipelined_heads_is_counted_too(uvicorn: Serve) -> None:
    server = uvicorn(max_header_bytes=LIMIT)
    with server.connect() as connection:
        connection.send(f"{BASE}\r\n{padded(LIMIT + 1)}".encode())
        first = connection.answer()
        assert first.status in (0, 200)  # the second request is broken while the first is answered: nothing can be said
        assert connection.closed_within(5)
    assert server.ask().status == 200


@pytest.mark.parametrize("sent", ["", "GET / HTTP/1.1\r\nHost: t"])
def test_a_slow_head_is_cut(serve: Serve, sent: str) -> None:
    server = serve(header_timeout=0.5)
    with server.connect() as connection:
        connection.send(sent.encode())
        began = time.monotonic()
        assert connection.closed_within(6)
        assert time.monotonic() - began > 0.3
    assert server.ask().status == 200


def test_a_dribbled_head_is_cut_with_408(uvicorn: Serve) -> None:
    server = uvicorn(header_timeout=0.6)
    with server.connect() as connection:
        try:
            for character in BASE * 10:
                connection.send(character.encode())
                time.sleep(0.05)
        except OSError:
            pass
        refused(connection.answer(), 408, "BLOB_UPLOAD_INVALID")


def test_the_deadline_holds_for_the_second_request_of_a_connection(serve: Serve) -> None:
    server = serve(header_timeout=0.5)
    with server.connect() as connection:
        assert connection.ask().status == 200
        connection.send(b"GET / HT")
        assert connection.closed_within(6)


def test_an_idle_connection_is_kept_and_then_closed(uvicorn: Serve) -> None:
    server = uvicorn(header_timeout=0.3, keep_alive=1.5)
    with server.connect() as connection:
        assert connection.ask().status == 200
        assert not connection.closed_within(0.8)  # longer than a head may take
        assert connection.closed_within(5)


def test_a_long_request_is_not_taken_for_an_idle_connection(serve: Serve) -> None:
    server = serve(header_timeout=0.3, keep_alive=0.3)
    assert len(server.ask("/stream/5/200").body) == 5 * 65536


BROKEN = {
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
    "no version": b"GET /\r\nHost: toy\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : toy\r\n\r\n",
    "both lengths": b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "bad length": b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: +3\r\n\r\nabc",
    "bad chunk": b"PUT / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "unknown coding": b"PUT / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a control character": b"GET / HTTP/1.1\r\nHost: t\r\nX: a\x00b\r\n\r\n",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_request_is_400(uvicorn: Serve, raw: bytes) -> None:
    server = uvicorn()
    with server.connect() as connection:
        connection.send(raw)
        answer = connection.answer()
        if answer.status:  # a body that breaks after its request has begun gets no answer
            refused(answer, 400)
        assert connection.closed_within(5)
    assert server.ask().status == 200


@pytest.mark.parametrize("raw", BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_request_never_answers_200_twice(serve: Serve, raw: bytes) -> None:
    server = serve()
    with server.connect() as connection:
        connection.send(raw + b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n")
        assert b"smuggled" not in connection.exactly(10_000)


@pytest.mark.parametrize("hosts", ["", "Host: a\r\nHost: b\r\n"])
def test_a_request_needs_exactly_one_host(uvicorn: Serve, hosts: str) -> None:
    refused(ask_raw(uvicorn(), f"GET / HTTP/1.1\r\n{hosts}\r\n"), 400)


def test_http_1_0_needs_no_host(serve: Serve) -> None:
    assert ask_raw(serve(), "GET /hello HTTP/1.0\r\n\r\n").body == b"GET /hello"


def test_an_absolute_target_is_served(serve: Serve) -> None:
    assert ask_raw(serve(), "GET http://toy/hello HTTP/1.1\r\nHost: toy\r\n\r\n").body.endswith(b"/hello")


def test_a_head_in_single_bytes_is_served(serve: Serve) -> None:
    server = serve()
    with server.connect() as connection:
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for character in f"{BASE}\r\n":
            connection.send(character.encode())
        assert connection.answer().body == b"GET /hello"
