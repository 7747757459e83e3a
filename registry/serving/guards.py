"""What Granian's parser leaves to the application: a bounded head, and an end to readers that stall.

Plain ASGI middleware, put around the application by the Granian engine only; uvicorn's protocol does both below ASGI.
"""

import asyncio
import logging
from typing import Any

import orjson

from registry.oci.errors import ErrorCode, RegistryError
from registry.serving.plan import FIELD_REST, LINE_REST, App

logger = logging.getLogger(__name__)


class HeadLimit:
    """Refuses requests whose request line and headers are larger than allowed (431)."""

    def __init__(self, app: App, *, max_bytes: int, max_fields: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_fields = max_fields

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Pass a request on, or answer it."""
        if scope["type"] != "http" or self._fits(scope):
            return self._app(scope, receive, send)
        return _refuse(send)

    def _fits(self, scope: Any) -> bool:
        headers = scope["headers"]
        if len(headers) > self._max_fields:
            return False
        query = scope["query_string"]
        size = len(scope["method"]) + len(scope["raw_path"]) + (len(query) + 1 if query else 0) + LINE_REST
        for name, value in headers:
            size += len(name) + len(value) + FIELD_REST
        return size <= self._max_bytes


async def _refuse(send: Any) -> None:
    body = orjson.dumps(RegistryError(ErrorCode.HEADERS_TOO_LARGE).body())
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": ErrorCode.HEADERS_TOO_LARGE.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class ReaderStalled(Exception):
    """A client took nothing of its answer for too long."""


class WriteStall:
    """Ends a streamed answer of which the client takes nothing for `timeout` seconds."""

    def __init__(self, app: App, *, timeout: float) -> None:
        self._app = app
        self._timeout = timeout

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on; cut it when its reader stalls."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def bounded(message: Any) -> None:
            if not message.get("more_body"):  # the last or only part is taken over without waiting
                await send(message)
                return
            try:
                async with asyncio.timeout(self._timeout):
                    await send(message)
            except TimeoutError:
                raise ReaderStalled(f"nothing of the answer was read for {self._timeout:g} s") from None

        try:
            await self._app(scope, receive, bounded)
        except ReaderStalled as stalled:
            logger.info("cut a connection: %s", stalled)  # an answer that stays incomplete makes the server close it
        except asyncio.CancelledError:
            logger.debug("the client went away")  # Granian cancels its request then; to let that through logs a crash
