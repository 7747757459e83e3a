"""One connection, several requests: order, bodies, back-pressure, and clients that leave."""

import hashlib
import time

import pytest

from tests.serving.conftest import Serve
from tests.serving.running import Running, wait_for


def gone(server: Running, count: int) -> None:
    """Wait until the application has seen that many clients leave."""
    wait_for(lambda: int(server.ask("/gone").body) >= count, "the application hears of the client's end")


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    server = serve()
    with server.connect() as connection:
        connection.send(b"".join(f"GET /{n} HTTP/1.1\r\nHost: toy\r\n\r\n".encode() for n in range(20)))
        assert [connection.answer().body for _ in range(20)] == [f"GET /{n}".encode() for n in range(20)]


def test_pipelined_bodies_stay_apart(serve: Serve) -> None:
    server = serve()
    bodies = [bytes([n]) * (n * 9001) for n in range(1, 9)]
    with server.connect() as connection:
        raw = b"".join(
            b"PUT /upload HTTP/1.1\r\nHost: toy\r\nContent-Length: %d\r\n\r\n" % len(body) + body for body in bodies
        )
        connection.send(raw)
        for body in bodies:
            assert connection.answer().body.startswith(
                b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())
            )


def test_a_pipelined_request_waits_for_a_long_answer(serve: Serve) -> None:
    server = serve()
    with server.connect() as connection:
        connection.send(b"GET /stream/5/50 HTTP/1.1\r\nHost: t\r\n\r\nGET /after HTTP/1.1\r\nHost: t\r\n\r\n")
        assert len(connection.answer().body) == 5 * 65536
        assert connection.answer().body == b"GET /after"


def test_head_has_the_length_and_no_body(serve: Serve) -> None:
    server = serve()
    with server.connect() as connection:
        answer = connection.ask("/hello", "HEAD")
        assert (answer.status, answer.headers["content-length"]) == (200, "11")
        assert connection.ask("/next").body == b"GET /next"


def test_a_chunked_body_is_put_together(serve: Serve) -> None:
    server = serve()
    body = b"".join(b"%x\r\n%s\r\n" % (size, b"c" * size) for size in (1, 70_000, 3)) + b"0\r\n\r\n"
    answer = server.ask("/upload", "PUT", "Transfer-Encoding: chunked\r\n", body)
    assert answer.body.startswith(b"70004 " + hashlib.sha256(b"c" * 70004).hexdigest().encode())


def test_a_large_body_arrives_whole(serve: Serve) -> None:
    server = serve()
    body = bytes(range(256)) * 40_000
    answer = server.ask("/upload", "PUT", f"Content-Length: {len(body)}\r\n", body)
    assert answer.body.startswith(b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode()))


def test_a_client_that_expects_100_gets_it_when_the_body_is_wanted(serve: Serve) -> None:
    server = serve()
    with server.connect() as connection:
        connection.send(b"PUT /upload HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.answer().status == 100
        connection.send(b"12345")
        assert connection.answer().body.startswith(b"5 ")


def test_a_client_that_expects_100_is_not_asked_for_a_body_that_is_refused(serve: Serve) -> None:
    server = serve()
    with server.connect() as connection:
        connection.send(b"PUT /unread HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.answer().status == 413


def test_a_body_that_nobody_reads_does_not_break_the_next_request(uvicorn: Serve) -> None:
    server = uvicorn()
    with server.connect() as connection:
        body = b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n" * 10_000
        assert connection.ask("/unread", "PUT", f"Content-Length: {len(body)}\r\n", body).status == 413
        assert connection.ask("/next").body == b"GET /next"


def test_an_unread_body_that_never_ends_is_cut(uvicorn: Serve) -> None:
    server = uvicorn(linger=0.5)
    with server.connect() as connection:
        assert connection.ask("/unread", "PUT", "Content-Length: 1000000\r\n", b"part").status == 413
        assert connection.closed_within(5)


def test_a_client_that_does_not_wait_is_slowed_down(serve: Serve) -> None:
    """What the application does not read, the server does not take: memory stays bounded."""
    server = serve()
    with server.connect() as connection:
        connection.send(b"PUT /hold HTTP/1.1\r\nHost: t\r\nContent-Length: 100000000\r\n\r\n")
        connection.sock.settimeout(0.5)
        taken = 0
        with pytest.raises(TimeoutError):
            while True:
                taken += connection.sock.send(b"z" * 65536)
        assert taken < 16 * 2**20  # both sockets' buffers and ours


@pytest.mark.parametrize("way", ["close", "reset"])
def test_the_application_hears_of_a_client_that_leaves_an_upload(serve: Serve, way: str) -> None:
    server = serve()
    with server.connect() as connection:
        connection.send(b"PUT /upload HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\nabc")
        time.sleep(0.2)
        getattr(connection, way)()
        gone(server, 1)


def test_a_client_that_leaves_a_download_harms_nobody(serve: Serve) -> None:
    server = serve()
    for _ in range(5):
        with server.connect() as connection:
            connection.send(b"GET /stream/200/1 HTTP/1.1\r\nHost: t\r\n\r\n")
            connection.more()
            connection.reset()
    assert server.ask().status == 200
    assert server.stop() == 0


def test_an_upgrade_is_answered_as_if_it_were_not_asked_for(uvicorn: Serve) -> None:
    server = uvicorn()
    with server.connect() as connection:
        answer = connection.ask("/hello", headers="Connection: Upgrade\r\nUpgrade: websocket\r\n")
        assert answer.body == b"GET /hello"
        assert connection.closed_within(5)


def test_an_application_that_crashes_is_answered_for(uvicorn: Serve) -> None:
    server = uvicorn()
    answer = server.ask("/crash")
    assert (answer.status, answer.error["code"]) == (500, "UNKNOWN")
    assert "toy was told" not in answer.body.decode()
    assert "toy was told to crash" in server.log.read_text()


def test_an_answer_is_cut_when_nobody_reads_it(serve: Serve) -> None:
    server = serve(write_stall=0.6)
    with server.connect() as connection:
        connection.send(b"GET /stream/400/0 HTTP/1.1\r\nHost: t\r\n\r\n")
        time.sleep(4)
        assert len(connection.answer().body) < 400 * 65536


def test_a_slow_reader_that_moves_is_served(uvicorn: Serve) -> None:
    server = uvicorn(write_stall=1.5)
    with server.connect() as connection:
        connection.send(b"GET /stream/160/0 HTTP/1.1\r\nHost: t\r\n\r\n")
        got = 0
        began = time.monotonic()
        while time.monotonic() - began < 3.5:  # more than twice the stall, a little at a time
            got += len(connection.sock.recv(65536))
            time.sleep(0.1)
        while got < 160 * 65536:
            piece = connection.more()
            assert piece
            got += len(piece)
