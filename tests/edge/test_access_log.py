"""The request's id and its line in the log."""

import asyncio
import re
from typing import Any

import orjson
import pytest

from registry.edge.access_log import AccessLog
from registry.edge.logs import REQUEST_ID, Format
from tests.edge.asgi import Exchange, ask, start

ESCAPE = "\x1b"


def logged(format: Format | None, app: Any, **given: Any) -> tuple[Exchange, list[bytes]]:
    """Ask once and give the answer with the lines written."""
    lines: list[bytes] = []
    exchange = asyncio.run(ask(AccessLog(app, format=format, quiet=frozenset({"/livez"}), sink=lines.append), **given))
    return exchange, lines


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and answer five bytes."""
    while (await receive()).get("more_body"):
        pass
    await start(send, 200, 5)
    await send({"type": "http.response.body", "body": b"hello"})


def test_the_line_has_every_field() -> None:
    headers = [(b"user-agent", b"docker/29"), (b"x-request-id", b"abc-1")]
    _, lines = logged("json", hello, method="PUT", path="/v2/a/b", headers=headers, body=[b"123", b"4"])
    line = orjson.loads(lines[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert 0 <= line.pop("ms") < 1000
    assert line == {
        "level": "info", "event": "request", "request_id": "abc-1", "client": "127.0.0.9", "method": "PUT",
        "path": "/v2/a/b", "status": 200, "bytes_in": 4, "bytes_out": 5, "agent": "docker/29",
    }  # fmt: skip


def test_a_text_line_says_the_same() -> None:
    _, lines = logged("text", hello, path="/v2/", headers=[(b"user-agent", b"a b")])
    assert lines[0].endswith(b' agent="a b"\n')
    assert b" method=GET path=/v2/ status=200 bytes_in=0 bytes_out=5 " in lines[0]


def test_nothing_is_logged_when_switched_off_but_the_id_stays() -> None:
    exchange, lines = logged(None, hello)
    assert not lines
    assert exchange.headers["x-request-id"]


def test_quiet_paths_are_logged_only_when_they_fail() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await start(send, 503, 0)
        await send({"type": "http.response.body", "body": b""})

    assert not logged("text", hello, path="/livez")[1]
    assert len(logged("text", failing, path="/livez")[1]) == 1


def test_the_query_string_is_not_logged() -> None:
    _, lines = logged("json", hello, path="/token", query=b"secret=1")
    assert b"secret" not in lines[0]


@pytest.mark.parametrize("given", ["a", "A-b_c.1", "x" * 128])
def test_a_sane_id_is_taken_over(given: str) -> None:
    exchange, _ = logged("json", hello, headers=[(b"x-request-id", given.encode())])
    assert exchange.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\n", "a\r\nx: y", "ü", "<script>"])
def test_any_other_id_is_replaced(given: str) -> None:
    exchange, _ = logged("json", hello, headers=[(b"x-request-id", given.encode("latin-1"))])
    assert exchange.headers["x-request-id"] != given
    assert re.fullmatch(r"[0-9a-f]+-[0-9a-f]+", exchange.headers["x-request-id"])


def test_ids_differ_and_reach_the_application() -> None:
    seen = []

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["state"]["request_id"], REQUEST_ID.get()))
        await hello(scope, receive, send)

    async def several() -> None:
        app = AccessLog(noting, format=None)
        for _ in range(5):
            await ask(app)

    asyncio.run(several())
    assert len(set(seen)) == 5
    assert all(state == context for state, context in seen)


@pytest.mark.parametrize("format", ["json", "text"])
def test_a_client_cannot_forge_a_line_or_steer_a_terminal(format: Format) -> None:
    nasty = f'{ESCAPE}[31m\nfake line\r"quoted" \x9b2J\x7f\xff'.encode("latin-1")
    _, lines = logged(format, hello, raw_path=b"/v2/" + nasty, headers=[(b"user-agent", nasty)])
    text = lines[0].decode("utf-8")
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    assert text.isascii()


def test_a_line_stays_short() -> None:
    _, lines = logged("json", hello, raw_path=b"/" + b"\xff" * 16_000, headers=[(b"user-agent", b"\x01" * 9000)])
    assert len(lines[0]) < 8192


def test_an_answer_that_was_cut_is_marked() -> None:
    async def cut(scope: Any, receive: Any, send: Any) -> None:
        await start(send, 200, 10)
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})

    line = orjson.loads(logged("json", cut)[1][0])
    assert (line["status"], line["bytes_out"], line["cut"]) == (200, 5, True)


def test_a_client_that_left_before_the_answer_is_499() -> None:
    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        return

    line = orjson.loads(logged("json", nothing)[1][0])
    assert (line["status"], line["cut"]) == (499, True)


@pytest.mark.parametrize(
    ("message", "count"),
    [
        ({"type": "http.response.pathsend", "path": "/f"}, 77),
        ({"type": "http.response.zerocopysend", "file": 3, "offset": 5, "count": 7}, 7),
    ],
)
def test_bytes_of_files_are_counted(message: dict[str, Any], count: int) -> None:
    async def file(scope: Any, receive: Any, send: Any) -> None:
        await start(send, 200, 77)
        await send(message)

    line = orjson.loads(logged("json", file)[1][0])
    assert line["bytes_out"] == count
    assert "cut" not in line


def test_head_sends_no_bytes() -> None:
    assert orjson.loads(logged("json", hello, method="HEAD")[1][0])["bytes_out"] == 0


def test_what_the_application_raises_passes_and_is_logged() -> None:
    lines: list[bytes] = []

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(ask(AccessLog(broken, format="json", sink=lines.append)))
    assert len(lines) == 1


def test_the_lifespan_passes_untouched() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["type"], receive, send))

    async def receive() -> Any: ...
    async def send(message: Any) -> None: ...

    asyncio.run(AccessLog(app)({"type": "lifespan"}, receive, send))
    assert seen == [("lifespan", receive, send)]


@pytest.mark.parametrize("format", ["json", "text"])
def test_who_signed_in_is_named(format: Format) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["actor"] = "team+ci"
        await start(send, 200, 0)
        await send({"type": "http.response.body"})

    _, (line,) = logged(format, app)
    assert (b'"actor":"team+ci"' if format == "json" else b" actor=team+ci ") in line
