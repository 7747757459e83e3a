"""What the server promises its application and well-meant clients: keep-alive, half-close, back-pressure, hijack."""

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from runtime.http import server as server_module
from tests.parts.asgi import serving
from tests.runtime.http.apps import Endless, Waiting, broken, deaf, echo, hijacker

GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
WITHIN = 20.0


def eventually(holds: Callable[[], bool]) -> bool:
    """Poll a condition."""
    limit = time.monotonic() + WITHIN
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(0.005)
    return True


def test_one_request_after_another_on_one_connection() -> None:
    with serving(echo) as server, server.connect() as client:
        for name in (b"a", b"b"):
            client.send(GET % name)
            assert client.until(b"0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_sent_ahead_are_answered_in_order() -> None:
    with serving(echo) as server:
        said = server.ask(GET % b"first" + GET % b"second" + GET % b"third")
        assert [said.find(b"/" + name) > 0 for name in (b"first", b"second", b"third")] == [True] * 3
        assert said.find(b"/first") < said.find(b"/second") < said.find(b"/third")


def test_a_half_close_is_no_farewell() -> None:
    """The docker command shuts its side at once where it has no input."""
    with serving(echo) as server:
        assert b"GET /slow" in server.ask(GET % b"slow")


def test_the_application_is_told_when_the_client_has_left_and_not_when_it_sends_no_more() -> None:
    waiting = Waiting(head_first=True)
    with serving(waiting) as server:
        with server.connect() as client:
            client.send(GET % b"events")
            client.until(b"\r\n\r\n")
            client.half_close()
            assert eventually(lambda: waiting.seen == ["asked"])
            client.socket.settimeout(0.2)
            with suppress(TimeoutError):
                assert client.socket.recv(1) == b"never"
            assert waiting.seen == ["asked"]
        assert eventually(lambda: waiting.seen == ["asked", "left"])


def test_bodies_with_a_length_in_chunks_and_none() -> None:
    with serving(echo) as server:
        assert b"POST /p ?q=1 body" in server.ask(b"POST /p?q=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
        chunked = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1\r\ny\r\n0\r\n\r\n"
        assert b"POST /c ? body" in server.ask(chunked)
        assert b"POST /n ? " in server.ask(b"POST /n HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_client_that_waits_for_permission_gets_it_when_the_body_is_read() -> None:
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with serving(echo) as server, server.connect() as client:
        client.send(head)
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        client.send(b"body")
        assert b"POST /x ? body" in client.until(b"0\r\n\r\n")


def test_a_client_that_waits_for_permission_may_be_refused_without_it() -> None:
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with serving(deaf) as server, server.connect() as client:
        client.send(head)
        assert client.until(b"\r\n\r\nno").startswith(b"HTTP/1.1 409")


def test_who_refuses_a_large_body_is_heard() -> None:
    with serving(deaf) as server, server.connect() as client:
        client.send(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + bytes(5_000_000))
        assert client.rest().endswith(b"\r\n\r\nno")


def test_head_has_no_body_and_names_its_size() -> None:
    with serving(deaf) as server:
        said = server.ask(b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 409") and said.endswith(b"\r\n\r\n") and b"content-length: 2" in said


def test_old_clients_get_a_plain_answer_and_an_end() -> None:
    with serving(echo) as server, server.connect() as client:
        client.send(b"GET /old HTTP/1.0\r\n\r\n")
        said = client.rest()
        assert b"chunked" not in said.lower() and said.endswith(b"GET /old ? ")


def test_a_target_in_absolute_form_and_a_path_with_escapes() -> None:
    with serving(echo) as server:
        assert b"GET /v1.41/info ?a=b" in server.ask(
            b"GET http://docker/v1.41/info?a=b HTTP/1.1\r\nHost: docker\r\n\r\n"
        )
        assert b"GET /a b/c" in server.ask(GET % b"a%20b%2fc")


def test_a_hijacked_connection_carries_bytes_both_ways_and_ends_each_way_by_itself() -> None:
    noise = os.urandom(8_000_000)
    with serving(hijacker) as server, server.connect() as client:
        client.send(b"POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly")
        head = client.until(b"\r\n\r\n")
        assert head == b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n"

        def write() -> None:
            client.send(noise)
            client.half_close()

        writer = threading.Thread(target=write)
        writer.start()
        said = client.rest()
        writer.join()
        assert hashlib.sha256(said).digest() == hashlib.sha256(b"early" + noise + b"end").digest()


def test_a_hijacked_client_that_sends_no_more_is_not_gone() -> None:
    done = threading.Event()

    async def app(scope: object, receive: object, send: object) -> None:
        duplex = await scope["extensions"]["moorage.hijack"](101, [])  # type: ignore[index]
        assert await duplex.read() == b""
        leaving = asyncio.ensure_future(duplex.closed())
        await asyncio.wait({leaving}, timeout=0.2)
        await duplex.write(b"gone" if leaving.done() else b"still there")
        await leaving
        done.set()

    with serving(app) as server:
        with server.connect() as client:
            client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            client.half_close()
            client.until(b"\r\n\r\n")
            assert client.until(b"there") == b"still there"
        assert done.wait(WITHIN)


def test_what_was_sent_before_a_close_is_not_lost() -> None:
    """docker-py: attach_socket(), send, close."""
    taken: list[bytes] = []
    written, done = threading.Event(), threading.Event()

    async def app(scope: object, receive: object, send: object) -> None:
        duplex = await scope["extensions"]["moorage.hijack"](101, [])  # type: ignore[index]
        await duplex.write(b"which the client never reads")
        written.set()
        await duplex.gone()
        while data := await duplex.read():
            taken.append(data)
        await duplex.closed()
        done.set()

    with serving(app) as server:
        with server.connect() as client:
            client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            assert written.wait(WITHIN)
            client.send(b"the last words")
        assert done.wait(WITHIN)
        assert b"".join(taken) == b"the last words"


def test_a_client_that_does_not_read_holds_its_application_up_and_no_memory() -> None:
    endless = Endless()
    with serving(endless) as server:
        with server.connect() as client:
            client.send(GET % b"logs")
            assert eventually(lambda: endless.sent > 0)
            before = -1
            while endless.sent != before:
                before = endless.sent
                time.sleep(0.05)
            assert endless.sent < 2_000_000
            assert len(client.socket.recv(300_000)) > 0
        assert eventually(lambda: endless.ended)


def test_an_application_that_breaks_off_shows_the_client_an_answer_that_is_not_whole() -> None:
    with serving(broken) as server:
        assert server.ask(GET % b"x").endswith(b"4\r\nhalf\r\n")
        assert b"half" in server.ask(GET % b"again")


def test_stopping_lets_answers_out_and_ends_streams_and_idle_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, asked = Waiting(head_first=True), threading.Event()

    async def app(scope: object, receive: object, send: object) -> None:
        if scope["path"] == "/stream":  # type: ignore[index]
            await waiting(scope, receive, send)
            return
        asked.set()
        await asyncio.sleep(0.3)
        await echo(scope, receive, send)

    monkeypatch.setattr(server_module, "CLOSING_SECONDS", 3600.0)  # nobody has to be cancelled
    many = serving(app, grace=3600.0)
    with many as server, server.connect() as stream, server.connect() as slow, server.connect() as idle:
        stream.send(GET % b"stream")
        stream.until(b"\r\n\r\n")
        slow.send(GET % b"slow")
        assert asked.wait(WITHIN)
        server.stop()
        assert stream.rest() == b"" and idle.rest() == b""
        assert b"GET /slow" in slow.rest()
        assert waiting.seen == ["asked", "left"]
