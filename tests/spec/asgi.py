"""Drives an ASGI app in this process, without sockets: requests with any bytes, in any pieces, and several at once.

It behaves like a strict HTTP server: an answer whose length, header names or errors are not what HTTP and the
specification ("Error Codes") demand fails the test that asked for it. It knows no endpoint.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.oci.errors import SPECIFIED_CODES

Body = bytes | Sequence[bytes] | AsyncIterator[bytes]
T = TypeVar("T")

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Give every value of a header."""
        return [value for key, value in self.headers if key == name]

    def get(self, name: str) -> str | None:
        """Give a header that stands there once at most."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands there {len(values)} times"
        return values[0] if values else None

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        assert value is not None, f"{self.status} without {name}: {self.headers}"
        return value

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Give the errors of the specification's document."""
        found: list[dict[str, Any]] = self.json()["errors"]
        return found

    @property
    def message(self) -> str:
        """Give the first error's sentence."""
        return str(self.errors[0]["message"])

    def expect(self, status: int, code: str | None = None) -> Answer:
        """See that the status, and the code of every error, are these."""
        assert self.status == status, f"{self.status}, not {status}: {self.body[:500]!r}"
        if code is not None:
            assert {error["code"] for error in self.errors} == {code}, self.body
        return self


class Client:
    """One client of one app. Leaving its `with` block ends the app's life as a server's shutdown does."""

    def __init__(
        self, app: ASGIApp, *, address: str | None = "127.0.0.1", extensions: Mapping[str, Any] | None = None
    ) -> None:
        self.app = app
        self._address = address
        self.extensions: Mapping[str, Any] = extensions or {}
        self._runner = asyncio.Runner()
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._life: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self.run(self._lifespan("startup"))
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._lifespan("shutdown"))
        self._runner.close()

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        """Run something in the app's event loop."""
        return self._runner.run(doing)

    def request(
        self,
        method: str,
        target: str,
        body: Body = b"",
        headers: Mapping[str, str] | None = None,
        *,
        vanish: bool = False,
    ) -> Answer:
        """Send one request and give the whole answer; see `send`."""
        return self.run(self.send(method, target, body, headers, vanish=vanish))

    def together(self, *requests: Coroutine[Any, Any, Answer]) -> list[Answer]:
        """Send several requests at once."""

        async def gathered() -> list[Answer]:
            return await asyncio.gather(*requests)

        return self.run(gathered())

    async def send(
        self,
        method: str,
        target: str,
        body: Body = b"",
        headers: Mapping[str, str] | None = None,
        *,
        vanish: bool = False,
    ) -> Answer:
        """Send one request.

        Args:    target: path and query as they stand in the request line; body: bytes are sent with Content-Length,
                 pieces without; vanish: the client goes away when the body's last byte is sent.
        Returns: the answer; status 0 if there was none.
        """
        given = {name.lower(): value for name, value in (headers or {}).items()}
        if isinstance(body, bytes) and method in WITH_BODY:
            given = {"content-length": str(len(body)), **given}
        exchange = _Exchange(_pieces(body), vanish=vanish)
        await self.app(self._scope(method, target, given), exchange.receive, exchange.send)
        return exchange.answer(method, target)

    def _scope(self, method: str, target: str, headers: Mapping[str, str]) -> Scope:
        path, _, query = target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": [(b"host", b"registry.test:5000")]
            + [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            "client": (self._address, 40000) if self._address else None,
            "server": ("127.0.0.1", 5000),
            "extensions": dict(self.extensions),
            "state": {"request_id": "test-1"},
        }

    async def _lifespan(self, phase: str) -> None:
        if self._life is None:
            scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
            self._life = asyncio.ensure_future(_living(self.app, scope, self._to_app.get, self._from_app.put))
        await self._to_app.put({"type": f"lifespan.{phase}"})
        message = await self._from_app.get()
        assert message["type"] == f"lifespan.{phase}.complete", message


async def _living(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


async def _pieces(body: Body) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
    elif isinstance(body, AsyncIterator):
        async for piece in body:
            yield piece
    else:
        for piece in body:
            yield piece


class _Exchange:
    """One request on its way in and its answer on its way out."""

    def __init__(self, pieces: AsyncIterator[bytes], *, vanish: bool) -> None:
        self._pieces = pieces
        self._vanish = vanish
        self._sent = False
        self._over = asyncio.Event()
        self._start: Message | None = None
        self._body: list[bytes] = []

    async def receive(self) -> Message:
        if self._sent:
            await self._over.wait()
            return {"type": "http.disconnect"}
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._sent = True
            if self._vanish:
                self._over.set()
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(self, message: Message) -> None:
        assert not self._over.is_set() or self._vanish, "something was sent after the answer's end"
        if message["type"] == "http.response.start":
            assert self._start is None, "two answers to one request"
            self._start = message
        elif message["type"] == "http.response.pathsend":
            with open(message["path"], "rb") as file:  # noqa: PTH123  # as a server's sendfile does
                self._body.append(file.read())
            self._over.set()
        elif message["type"] == "http.response.zerocopysend":
            self._body.append(os.pread(message["file"], message["count"], message["offset"]))
        else:
            assert message["type"] == "http.response.body", message
            assert self._start is not None, "a body before its head"
            self._body.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._over.set()

    def answer(self, method: str, target: str) -> Answer:
        if self._start is None:
            assert self._vanish, "no answer"
            return Answer(0, (), b"")
        assert self._over.is_set(), "the answer has no end"
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._start["headers"])
        body = b"".join(self._body)
        answer = Answer(self._start["status"], headers, b"" if method == "HEAD" else body)
        _check(answer, method, target, len(body))
        return answer


def _check(answer: Answer, method: str, target: str, length: int) -> None:
    """What holds for every answer, whatever the request."""
    for name, value in answer.headers:
        assert name == name.lower(), f"{name} is not in lower case"
        assert value.isprintable(), f"{name} is {value!r}"
    bodiless = answer.status in (204, 304)
    announced = answer.get("content-length")
    if method == "HEAD" and answer.status == 200:
        assert announced is not None, "HEAD without Content-Length"
    elif not bodiless:
        assert announced == str(length), f"{length} bytes came, {announced} were announced"
    else:
        assert length == 0
    if answer.status >= 400 and method != "HEAD" and target.startswith("/v2"):
        _check_errors(answer)


def _check_errors(answer: Answer) -> None:
    assert answer["content-type"] == "application/json"
    assert set(answer.json()) == {"errors"}
    assert answer.errors
    for error in answer.errors:
        assert set(error) <= {"code", "message", "detail"}
        assert answer.status >= 500 or error["code"] in SPECIFIED_CODES
        assert isinstance(error["message"], str)
        assert len(error["message"]) > 10, "a code alone tells nobody what to do"
        assert "Traceback" not in error["message"]
