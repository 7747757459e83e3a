"""Clients that mean no good, or a proxy's other meaning: refused, and nobody else is held up."""

import threading

import pytest

from runtime.http import conversation
from tests.parts.asgi import serving
from tests.runtime.http.apps import echo

HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody",
        HEAD + b"Content-Length: 4, 5\r\n\r\nbody",
        HEAD + b"Content-Length: +4\r\n\r\nbody",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 0x4\r\n\r\nbody",
        HEAD + b"Content-Length : 4\r\n\r\nbody",
        HEAD + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n",
        HEAD + b"Bad\0Name: 1\r\n\r\n",
        HEAD + b"Name: a\0b\r\n\r\n",
        HEAD + b"Name: a\rb\r\n\r\n",
        b"GET /x HTTP/1.1\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /x y HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /x HTTP/2.0\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n" * 40_000,
        b"A" * 200_000,
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"Big: " + b"a" * 100_000 + b"\r\n\r\n",
        HEAD + b"".join(b"N%d: 1\r\n" % n for n in range(20_000)) + b"\r\n",
    ],
    ids=lambda request: repr(request[23:70]),
)
def test_what_means_two_things_or_nothing_is_refused(request_bytes: bytes) -> None:
    with serving(echo) as server:
        said = server.ask(request_bytes + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        assert said == b"" or said[9:12] in (b"400", b"431", b"501", b"505"), said
        assert b"GET /smuggled ?" not in said
        assert b"GET /after" in server.ask(b"GET /after HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_refusal_says_what_was_wrong() -> None:
    with serving(echo) as server:
        said = server.ask(HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        assert b'{"message": "bad request: both Content-Length and Transfer-Encoding"}' in said
        assert b"connection: close" in said.lower()


def test_a_body_that_never_ends_with_its_promise_is_no_request() -> None:
    with serving(echo) as server:
        said = server.ask(HEAD + b"Content-Length: 400\r\n\r\nbody")
        assert said.startswith(b"HTTP/1.1 400")


def test_a_head_that_does_not_come_to_its_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "HEAD_SECONDS", 0.2)
    with serving(echo) as server, server.connect() as client:
        client.send(b"GET /x HTTP/1.1\r\nHos")
        assert client.rest().startswith(b"HTTP/1.1 408")


def test_silent_connections_hold_nobody_up() -> None:
    with serving(echo) as server:
        silent = [server.connect() for _ in range(300)]
        try:
            for client in silent[::2]:
                client.send(b"GET / HT")
            assert b"GET /busy" in server.ask(b"GET /busy HTTP/1.1\r\nHost: x\r\n\r\n")
        finally:
            for client in silent:
                client.socket.close()


def test_a_client_that_floods_leaves_others_their_turn() -> None:
    stop = threading.Event()

    async def drain(scope: object, receive: object, send: object) -> None:
        if scope["path"] == "/flood":  # type: ignore[index]
            while (await receive())["type"] != "http.disconnect":  # type: ignore[operator]
                pass
            return
        await echo(scope, receive, send)

    with serving(drain) as server, server.connect() as flood:

        def pour() -> None:
            flood.send(b"POST /flood HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
            while not stop.is_set():
                flood.send(bytes(1 << 20))

        pouring = threading.Thread(target=pour)
        pouring.start()
        try:
            for _ in range(20):
                assert b"GET /other" in server.ask(b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
        finally:
            stop.set()
            pouring.join()
