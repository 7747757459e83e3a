"""How fast bodies have to come, and which requests may have none."""

import asyncio
from typing import Any

import pytest

from registry.edge.deadlines import BodyDeadlines, Deadlines
from registry.oci.errors import ErrorCode, RegistryError
from tests.edge.asgi import Exchange, ask, start

UPLOAD = "/v2/team/app/blobs/uploads/1234"
MANIFEST = "/v2/team/app/manifests/1.2"
QUICK = BodyDeadlines(idle=0.3, window=0.2, window_bytes=100, other_total=0.4)
LENGTH = (b"content-length", b"1000")


class Reader:
    """An application that reads the body, perhaps slowly, and answers."""

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause
        self.got = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            self.got += message["body"]
            more = message["more_body"]
            await asyncio.sleep(self.pause)
        await start(send, 200, 0)
        await send({"type": "http.response.body", "body": b""})


def put(path: str, body: list[bytes | float], *, ends: bool = True, pause: float = 0.0) -> Exchange:
    """Send a body with these pauses."""
    app = Deadlines(Reader(pause), limits=QUICK)
    return asyncio.run(ask(app, method="PUT", path=path, headers=[LENGTH], body=body, ends=ends))


def late(path: str, body: list[bytes | float], *, ends: bool = True) -> RegistryError:
    """Send a body that is too late and give what is raised."""
    with pytest.raises(RegistryError) as caught:
        put(path, body, ends=ends)
    assert caught.value.code is ErrorCode.REQUEST_TIMEOUT
    assert caught.value.code.status == 408
    assert caught.value.headers == {"connection": "close"}
    return caught.value


def test_the_limits_are_those_of_the_documentation() -> None:
    limits = BodyDeadlines()
    assert (limits.idle, limits.window, limits.window_bytes, limits.other_total) == (60, 30, 30 * 1024, 15)


def paused(pause: float, piece: bytes, times: int) -> list[bytes | float]:
    """Repeat a pause and a piece."""
    return [item for _ in range(times) for item in (pause, piece)]


@pytest.mark.parametrize("path", [UPLOAD, MANIFEST])
def test_a_body_that_comes_at_once_passes(path: str) -> None:
    assert put(path, [b"a" * 500, b"b" * 500]).status == 200


def test_an_upload_may_take_longer_than_any_limit_while_it_moves() -> None:
    assert put(UPLOAD, [b"a" * 100, *paused(0.1, b"a" * 100, 10)]).status == 200


def test_an_upload_that_stops_is_late() -> None:
    assert "no byte" in late(UPLOAD, [b"a" * 1000], ends=False).message


def test_an_upload_that_dribbles_is_late() -> None:
    assert "less than" in late(UPLOAD, [b"a", *paused(0.05, b"a", 40)]).message


def test_an_upload_at_the_slowest_speed_passes_and_below_it_does_not() -> None:
    assert put(UPLOAD, [0.25, b"a" * 100, b"rest"]).status == 200
    late(UPLOAD, [0.25, b"a" * 99, b"rest"])


def test_a_last_piece_is_never_too_small() -> None:
    assert put(UPLOAD, [0.25, b"a"]).status == 200


def test_the_registrys_own_time_does_not_count() -> None:
    assert put(UPLOAD, [b"a"] * 6, pause=0.15).status == 200
    assert put(MANIFEST, [b"a"] * 6, pause=0.15).status == 200


def test_another_body_has_one_limit_in_all() -> None:
    assert "within 0.4 seconds" in late(MANIFEST, [b"a" * 500, *paused(0.1, b"a" * 500, 8)]).message
    late(MANIFEST, [b"a"], ends=False)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("header", [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")])
def test_a_body_where_none_belongs_is_refused(method: str, header: tuple[bytes, bytes]) -> None:
    reader = Reader()
    exchange = asyncio.run(ask(Deadlines(reader), method=method, headers=[header], body=[b"a"]))
    assert exchange.status == 413
    assert exchange.error["code"] == "SIZE_INVALID"
    assert exchange.headers["connection"] == "close"
    assert reader.got == b""


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
@pytest.mark.parametrize("headers", [[], [(b"content-length", b"0")]])
def test_no_body_is_watched_by_nobody(method: str, headers: list[tuple[bytes, bytes]]) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(receive.__qualname__)
        await start(send, 200, 0)

    assert asyncio.run(ask(Deadlines(app), method=method, headers=headers)).status == 200
    assert seen == ["ask.<locals>.receive"]


def test_waiting_for_the_clients_end_has_no_deadline() -> None:
    """After the body, `receive` waits for the disconnect, which may come much later."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await receive()
        await start(send, 200, 0)

    async def scenario(path: str) -> None:
        pieces = [b"abc"]

        async def receive() -> Any:
            if not pieces:
                await asyncio.sleep(3600)
            return {"type": "http.request", "body": pieces.pop(), "more_body": False}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "PUT", "path": path, "headers": [LENGTH]}
        await Deadlines(app, limits=QUICK)(scope, receive, send)
        assert sent[0]["status"] == 200

    asyncio.run(scenario(UPLOAD))
    asyncio.run(scenario(MANIFEST))
