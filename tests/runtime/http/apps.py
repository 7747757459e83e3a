"""Small ASGI applications that the tests of the server serve."""

import asyncio
from typing import Any

from runtime.http.duplex import Duplex


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the request's method, path, query and body."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    said = b"%b %b ?%b %b" % (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})


async def deaf(scope: Any, receive: Any, send: Any) -> None:
    """Refuse without reading the request's body."""
    await send({"type": "http.response.start", "status": 409, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


async def hijacker(scope: Any, receive: Any, send: Any) -> None:
    """Take the connection over; send back what comes, and `end` after the client's half-close."""
    duplex: Duplex = await scope["extensions"]["moorage.hijack"](101, [(b"Upgrade", b"tcp")])
    while data := await duplex.read():
        await duplex.write(data)
    await duplex.write(b"end")
    await duplex.close()


async def broken(scope: Any, receive: Any, send: Any) -> None:
    """Break off in the middle of an answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise ValueError("as the test wants")


class Waiting:
    """Answers nothing until the client leaves; says so, and how."""

    def __init__(self, *, head_first: bool = False) -> None:
        self.head_first = head_first
        self.asked = asyncio.Event()
        self.seen: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Wait for http.disconnect."""
        if self.head_first:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        self.seen.append("asked")
        message: dict[str, Any] = await receive()
        while message["type"] != "http.disconnect":
            message = await receive()
        self.seen.append("left")


class Endless:
    """Sends bytes for as long as somebody takes them; `sent` is how many got away."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send blocks until the client is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
                self.sent += 65536
        except ConnectionError:
            self.ended = True
