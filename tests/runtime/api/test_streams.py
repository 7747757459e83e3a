"""Answers that go on: lines, bytes from a thread, hijacked connections, and bodies read in a thread."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.api.endpoints import Endpoint
from runtime.api.streams import STDERR, STDOUT, Cancelled, Feed, Hijacked, Lines, download, frame, progress
from runtime.api.uploads import Upload
from runtime.errors import EngineError, NotFound
from runtime.http.duplex import Duplex
from tests.runtime.api.calls import api

WITHIN = 20.0


class StepFailed(EngineError):
    """A failure with an exit code."""

    code = 7


def served(handler: Callable[[Call], ASGIApp]) -> tuple[Endpoint, ...]:
    async def answer(call: Call) -> ASGIApp:
        return handler(call)

    return (Endpoint("GET", "/x", answer), Endpoint("POST", "/x", answer))


def test_a_frame_is_dockers() -> None:
    assert frame(STDOUT, b"hello") == b"\x01\0\0\0\0\0\0\x05hello"
    assert frame(STDERR, b"") == b"\x02\0\0\0\0\0\0\0"


def test_lines_that_a_service_feeds_from_several_threads() -> None:
    def work(feed: Feed) -> None:
        def feed_many() -> None:
            for number in range(50):
                feed({"n": number, "p": "x" * 3000})

        threads = [threading.Thread(target=feed_many) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with api(served(lambda call: progress(call, work))) as running:
        answer = running.ask("/x")
        assert answer.status == 200 and answer.headers["content-type"] == "application/json"
        assert sorted(line["n"] for line in answer.lines) == sorted([*range(50)] * 4)


def test_a_failure_before_the_first_line_is_an_ordinary_one() -> None:
    def work(feed: Feed) -> None:
        raise NotFound("manifest for x not found")

    with api(served(lambda call: progress(call, work))) as running:
        answer = running.ask("/x")
        assert (answer.status, answer.json) == (404, {"message": "manifest for x not found"})


def test_a_failure_after_it_is_a_line() -> None:
    def work(feed: Feed) -> None:
        feed({"status": "Pulling"})
        raise StepFailed("a step failed")

    with api(served(lambda call: progress(call, work))) as running:
        answer = running.ask("/x")
        assert answer.status == 200
        assert answer.lines[1] == {"errorDetail": {"code": 7, "message": "a step failed"}, "error": "a step failed"}


def test_a_service_that_breaks_after_its_first_line_gives_no_whole_answer() -> None:
    def work(feed: Feed) -> None:
        feed({"status": "Pulling"})
        raise LookupError("as the test wants")

    with api(served(lambda call: progress(call, work))) as running:
        said = running.server.ask(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"Pulling" in said and not said.endswith(b"0\r\n\r\n")


def test_a_service_learns_that_its_client_has_left() -> None:
    told = threading.Event()

    def work(feed: Feed) -> None:
        try:
            for number in range(10_000_000):
                feed({"n": number})
        except Cancelled:
            told.set()
            raise

    with api(served(lambda call: progress(call, work))) as running:
        with running.server.connect() as client:
            client.send(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            client.until(b'{"n":3}')
        assert told.wait(WITHIN)


def test_a_slow_client_holds_its_service_up() -> None:
    fed: list[int] = []

    def work(feed: Feed) -> None:
        for number in range(100_000):
            feed({"p": "x" * 10_000})
            fed.append(number)

    with api(served(lambda call: progress(call, work))) as running, running.server.connect() as client:
        client.send(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        client.until(b"\r\n\r\n")
        before = -1
        while len(fed) != before:
            before = len(fed)
            time.sleep(0.05)
        assert 0 < before < 1000


def test_bytes_from_a_thread_and_their_failures() -> None:
    def work(write: Callable[[bytes], None]) -> None:
        write(b"one")
        write(b"two")

    def fails(write: Callable[[bytes], None]) -> None:
        raise NotFound("No such image: x")

    def fails_late(write: Callable[[bytes], None]) -> None:
        write(b"half")
        raise EngineError("the disk is gone")

    with api(served(lambda call: download(call, work, "application/x-tar", {"X-Stat": "a"}))) as running:
        answer = running.ask("/x")
        assert answer.body == b"onetwo" and answer.headers["x-stat"] == "a"
        assert answer.headers["content-type"] == "application/x-tar"
    with api(served(lambda call: download(call, fails, "application/x-tar"))) as running:
        assert running.ask("/x").status == 404
    with api(served(lambda call: download(call, fails_late, "application/x-tar"))) as running:
        said = running.server.ask(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"half" in said and not said.endswith(b"0\r\n\r\n")


def test_lines_from_a_coroutine_end_when_the_client_leaves() -> None:
    closed = threading.Event()

    async def numbers() -> AsyncIterator[dict[str, int]]:
        try:
            yield {"n": 1}
            await asyncio.sleep(3600)
        finally:
            closed.set()

    with api(served(lambda call: Lines(call, numbers()))) as running:
        with running.server.connect() as client:
            client.send(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            client.until(b'{"n":1}')
        assert closed.wait(WITHIN)


def test_a_head_at_once_waits_for_no_line() -> None:
    async def silent() -> AsyncIterator[dict[str, int]]:
        await asyncio.sleep(3600)
        yield {}

    with api(served(lambda call: Lines(call, silent(), at_once=True))) as running, running.server.connect() as client:
        client.send(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("version", "tty", "media_type"),
    [("1.41", False, b"raw"), ("1.42", False, b"multiplexed"), ("1.42", True, b"raw")],
)
def test_a_hijack_says_how_its_bytes_come(version: str, tty: bool, media_type: bytes) -> None:
    async def talk(duplex: Duplex) -> None:
        await duplex.write(b"there " + await duplex.read())

    with api(served(lambda call: Hijacked(call, talk, tty=tty))) as running, running.server.connect() as client:
        client.send(
            b"POST /v%b/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" % version.encode()
        )
        head = client.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\n") and b"Upgrade: tcp" in head
        assert b"application/vnd.docker.%b-stream" % media_type in head
        client.send(b"and back")
        assert client.rest() == b"there and back"


def test_a_hijack_for_clients_that_do_not_ask_for_it() -> None:
    async def talk(duplex: Duplex) -> None:
        await duplex.write(b"raw bytes")

    with api(served(lambda call: Hijacked(call, talk, tty=True))) as running:
        body = b'{"Detach": false}'
        said = running.server.ask(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        assert said.startswith(b"HTTP/1.1 200 OK\r\n") and said.endswith(b"\r\n\r\nraw bytes")


def test_a_body_is_a_file_in_a_thread() -> None:
    def handler(call: Call) -> ASGIApp:
        upload = Upload(call)

        def work(feed: Feed) -> None:
            feed({"first": len(upload.read(3)), "rest": len(upload.read()), "after": len(upload.read(1))})

        return progress(call, work)

    with api(served(handler)) as running:
        assert running.ask("/x", "POST", bytes(3_000_000)).lines == [{"first": 3, "rest": 2_999_997, "after": 0}]
        assert running.ask("/x", "POST").lines == [{"first": 0, "rest": 0, "after": 0}]


def test_a_body_that_breaks_off_ends_its_reader() -> None:
    ended = threading.Event()

    def handler(call: Call) -> ASGIApp:
        upload = Upload(call)

        def work(feed: Feed) -> None:
            try:
                upload.read()
            finally:
                ended.set()

        return progress(call, work)

    with api(served(handler)) as running:
        with running.server.connect() as client:
            client.send(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert ended.wait(WITHIN)


def test_what_runs_in_a_thread_goes_on_when_its_client_leaves() -> None:
    begun, done = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        time.sleep(0.3)
        done.set()

    async def handler(call: Call) -> ASGIApp:
        await call.run(slow)
        return PlainTextResponse("done")

    with api((Endpoint("POST", "/x", handler),)) as running:
        with running.server.connect() as client:
            client.send(b"POST /x HTTP/1.1\r\nHost: x\r\n\r\n")
            assert begun.wait(WITHIN)
        assert done.wait(WITHIN)


def test_lines_are_compact_json() -> None:
    def work(feed: Feed) -> None:
        feed({"status": "é", "n": 1})

    with api(served(lambda call: progress(call, work))) as running:
        body = running.ask("/x").body
        assert body.endswith(b"\r\n") and b": " not in body and json.loads(body) == {"status": "é", "n": 1}
