"""How a blob's bytes go out: by the server's own sendfile where it offers one, else in blocks; and never in part.

What a server offers is told by ASGI extensions, so a test only has to claim them.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Message, Scope

from registry.app import Server
from storage.errors import Unavailable
from storage.memory import MemoryDriver
from tests.spec.asgi import Client
from tests.spec.conftest import Start
from tests.spec.contents import digest_of
from tests.spec.registry import Registry, running

CONTENT = bytes(range(241)) * 9000  # 2.1 MB
DIGEST = digest_of(CONTENT)
PATH = f"/v2/a/blobs/{DIGEST}"
EXTENSIONS: dict[str, dict[str, dict[str, object]]] = {
    "none": {},
    "pathsend": {"http.response.pathsend": {}},
    "both": {"http.response.pathsend": {}, "http.response.zerocopysend": {}},
}


@pytest.fixture(params=list(EXTENSIONS))
def served(request: pytest.FixtureRequest, start: Start) -> Registry:
    """A server that holds CONTENT, reached through a server that offers some extensions."""
    registry = start()
    registry.push_blob("a", CONTENT)
    registry.push_blob("a", b"")
    registry.extensions = EXTENSIONS[request.param]
    return registry


def test_whole_and_in_parts(served: Registry) -> None:
    assert served.get(PATH).expect(200).body == CONTENT
    assert served.get(PATH, Range="bytes=5-1999999").expect(206).body == CONTENT[5:2_000_000]
    answer = served.get(PATH, Range="bytes=0-9,1000000-2100000").expect(206)
    assert CONTENT[:10] in answer.body
    assert CONTENT[1_000_000:2_100_001] in answer.body
    assert served.get(f"/v2/a/blobs/{digest_of(b'')}").expect(200).body == b""
    assert served.head(PATH).expect(200).body == b""


def messages_of(server: Server, extensions: dict[str, dict[str, object]], header: str | None) -> list[str]:
    """Give the types of the messages of one answer."""
    seen: list[str] = []
    headers = [(b"range", header.encode())] if header else []
    scope: Scope = {"type": "http", "method": "GET", "path": PATH, "query_string": b"", "headers": headers}

    async def send(message: Message) -> None:
        seen.append(message["type"].removeprefix("http.response."))

    async def receive() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError

    asyncio.run(server({**scope, "extensions": extensions, "client": None}, receive, send))
    return seen


@pytest.mark.parametrize(
    ("offered", "header", "expected"),
    [
        ("none", None, ["start", "body", "body", "body", "body"]),
        ("pathsend", None, ["start", "pathsend"]),
        ("both", None, ["start", "pathsend"]),
        ("pathsend", "bytes=5-9", ["start", "body", "body"]),
        ("both", "bytes=5-9", ["start", "zerocopysend", "body"]),
        ("both", "bytes=5-9,20-29", ["start", "body", "zerocopysend", "body", "zerocopysend", "body"]),
    ],
)
def test_the_way_that_costs_least_is_taken(start: Start, offered: str, header: str | None, expected: list[str]) -> None:
    registry = start()
    registry.push_blob("a", CONTENT)
    server = registry.app
    assert isinstance(server, Server)
    assert messages_of(server, EXTENSIONS[offered], header) == expected


def the_file(data: Path) -> Path:
    (found,) = (path for path in (data / "blobs").rglob("*") if path.is_file())
    return found


@pytest.fixture(params=list(EXTENSIONS))
def damaged(request: pytest.FixtureRequest, fast_directory: Path, name: str) -> Iterator[tuple[Registry, Path]]:
    """A server and the file of its only blob."""
    data = fast_directory / name.replace("/", "-")
    with running(data) as registry:
        registry.push_blob("a", CONTENT)
        registry.extensions = EXTENSIONS[request.param]
        yield registry, the_file(data)


@pytest.mark.parametrize("header", ["", "bytes=5-9", "bytes=5-9,20-29"])
def test_a_file_that_is_gone_is_503_and_a_push_heals_it(damaged: tuple[Registry, Path], header: str) -> None:
    registry, file = damaged
    file.unlink()
    answer = registry.get(PATH, Range=header).expect(503)
    assert "push it again" in answer.message
    assert int(answer["retry-after"]) > 0
    assert registry.push_blob("a", CONTENT) == DIGEST
    assert registry.get(PATH).expect(200).body == CONTENT


def test_a_file_that_was_cut_short_is_never_a_whole_answer(damaged: tuple[Registry, Path]) -> None:
    registry, file = damaged
    with file.open("r+b") as opened:
        opened.truncate(1_500_000)
    if registry.extensions:
        registry.get(PATH).expect(503)
    else:
        with pytest.raises(Unavailable):  # the head is out already, so the server ends the connection
            registry.get(PATH)


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("header", ["", "bytes=0-9,1000000-2100000"])
def test_a_reader_that_goes_away_is_not_sent_the_rest(
    fast_directory: Path, name: str, memory: bool, header: str
) -> None:
    data = fast_directory / name.replace("/", "-")
    content = CONTENT * 4
    with running(data, driver=MemoryDriver() if memory else None) as registry:
        digest = registry.push_blob("a", content)
        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": f"/v2/a/blobs/{digest}",
            "query_string": b"",
            "headers": [(b"range", header.encode())] if header else [],
            "client": None,
        }
        assert registry.run(_sent_until_gone(registry, scope)) < len(content) // 2


async def _sent_until_gone(registry: Client, scope: Scope) -> int:
    """Go away at the first byte, and count what is still sent."""
    sent, gone = 0, asyncio.Event()

    async def send(message: Message) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        if message.get("body"):
            gone.set()
            await asyncio.sleep(0.01)

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    await registry.app(scope, receive, send)
    return sent
