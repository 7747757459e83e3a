"""One ASGI request without a server: a body in pieces with pauses, and the answer taken apart."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass
class Exchange:
    """What an application sent."""

    messages: list[Any] = field(default_factory=list)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def error(self) -> dict[str, Any]:
        body = b"".join(message.get("body", b"") for message in self.messages[1:])
        first: dict[str, Any] = orjson.loads(body)["errors"][0]
        return first


async def start(send: Any, status: int, length: int) -> None:
    """Begin an answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", str(length).encode())],
        }
    )


async def ask(
    app: Any,
    *,
    method: str = "GET",
    path: str = "/",
    raw_path: bytes | None = None,
    query: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
    body: Sequence[bytes | float] = (),
    ends: bool = True,
) -> Exchange:
    """Send one request.

    Args: body: pieces to hand over; a number is a pause in seconds before the next piece.
          ends: whether the body ends with the last piece; if not, nothing more ever comes.
    """
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": raw_path or path.encode(),
        "query_string": query,
        "headers": list(headers),
        "client": ("127.0.0.9", 1234),
    }
    exchange = Exchange()
    left = list(body)

    async def receive() -> dict[str, Any]:
        while left and isinstance(left[0], float):
            await asyncio.sleep(left.pop(0))  # type: ignore[arg-type]  # a pause, as just checked
        if not left and body and not ends:
            await asyncio.sleep(3600)
        piece = left.pop(0) if left else b""
        return {"type": "http.request", "body": piece, "more_body": bool(left) or not ends}

    async def send(message: dict[str, Any]) -> None:
        exchange.messages.append(message)

    await app(scope, receive, send)
    return exchange
