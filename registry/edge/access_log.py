"""The request's id and its one line in the log: who asked for what, what came of it, how much and how long.

Outermost of the middleware, so that it sees every answer. A plain ASGI class: bodies pass through it untouched. Query
strings are not logged, for tokens and upload states travel in them.
"""

import itertools
import re
import secrets
import time

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.edge.logs import REQUEST_ID, Format, Sink, quoted, timestamp, to_stderr, visible

SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
CLIENT_CLOSED = 499  # nginx's number for a client that left before it was answered
_LONGEST_PATH, _LONGEST_AGENT = 1024, 256  # a line stays below PIPE_BUF, so that workers' lines never mix


class AccessLog:
    """Names each request and writes its line.

    Args: format: how lines look; None writes none, and only the ids remain.
          quiet: paths that are logged only when they fail, such as health probes.
          sink: takes whole lines.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        format: Format | None = "text",
        quiet: frozenset[str] = frozenset(),
        sink: Sink = to_stderr,
    ) -> None:
        self._app = app
        self._format = format
        self._quiet = quiet
        self._sink = sink
        self._prefix = secrets.token_hex(5)
        self._numbers = itertools.count(1)
        self._second = -1
        self._second_text = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, watch it, and write its line when it is over."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        agent, request_id = b"", ""
        for name, value in scope["headers"]:
            if name == b"user-agent":
                agent = value
            elif name == b"x-request-id" and SANE_ID.fullmatch(value):
                request_id = value.decode("ascii")
        if not request_id:
            request_id = f"{self._prefix}-{next(self._numbers):x}"
        state = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        state["request_id"] = request_id
        REQUEST_ID.set(request_id)
        exchange = _Exchange(receive, send, request_id, head=scope["method"] == "HEAD")
        began = time.perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            if self._format is not None and (exchange.status >= 400 or scope["path"] not in self._quiet):
                self._write(scope, exchange, agent, time.perf_counter() - began)

    def _write(self, scope: Scope, exchange: "_Exchange", agent: bytes, seconds: float) -> None:
        client = scope.get("client")
        address = client[0] if client else "-"
        actor = scope["state"].get("actor", "")
        path = _text(scope.get("raw_path") or scope["path"].encode("utf-8"), _LONGEST_PATH)
        status = exchange.status or CLIENT_CLOSED
        milliseconds = round(seconds * 1000, 3)
        now = self._stamp(time.time())
        if self._format == "json":
            fields: dict[str, object] = {
                "time": now,
                "level": "info",
                "event": "request",
                "request_id": exchange.request_id,
                "client": address,
                **({"actor": actor} if actor else {}),
                "method": scope["method"],
                "path": path,
                "status": status,
                "bytes_in": exchange.bytes_in,
                "bytes_out": exchange.bytes_out,
                "ms": milliseconds,
                "agent": _text(agent, _LONGEST_AGENT),
            }
            if not exchange.complete:
                fields["cut"] = True
            self._sink(orjson.dumps(fields) + b"\n")
            return
        # Written out, not by `as_text`: a line a request is a hot path, and these values need no look for quotes.
        cut = "" if exchange.complete else " cut=True"
        who = f" actor={quoted(actor)}" if actor else ""
        line = (
            f"{now} info    request request_id={exchange.request_id} client={quoted(address)}{who}"
            f" method={scope['method']} path={quoted(path)} status={status}"
            f" bytes_in={exchange.bytes_in} bytes_out={exchange.bytes_out}"
            f" ms={milliseconds} agent={quoted(_text(agent, _LONGEST_AGENT))}{cut}\n"
        )
        self._sink(line.encode("ascii", "backslashreplace"))

    def _stamp(self, now: float) -> str:
        """Write the time; the part that stays the same for a second is made once a second."""
        second = int(now)
        if second != self._second:
            self._second, self._second_text = second, timestamp(second)[:-4]
        return f"{self._second_text}{int(now % 1 * 1000):03d}Z"


class _Exchange:
    """Counts what passes between the server and the application during one request."""

    __slots__ = (
        "_announced",
        "_head",
        "_receive",
        "_send",
        "bytes_in",
        "bytes_out",
        "complete",
        "request_id",
        "status",
    )

    def __init__(self, receive: Receive, send: Send, request_id: str, *, head: bool) -> None:
        self._receive = receive
        self._send = send
        self._head = head
        self._announced = 0
        self.request_id = request_id
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        body = message.get("body")
        if body:
            self.bytes_in += len(body)
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            for name, value in headers:
                if name == b"content-length":
                    self._announced = int(value)
            headers.append((b"x-request-id", self.request_id.encode("ascii")))
            message = {**message, "headers": headers}
            await self._send(message)
            return
        await self._send(message)
        if not self._head:
            self._count(kind, message)
        self.complete = kind == "http.response.pathsend" or not message.get("more_body", False)

    def _count(self, kind: str, message: Message) -> None:
        if kind == "http.response.body":
            self.bytes_out += len(message.get("body", b""))
        else:  # a file: its part of the answer, or the whole
            self.bytes_out += message.get("count") or self._announced


def _text(raw: bytes, longest: int) -> str:
    return visible(raw[:longest].decode("ascii", "backslashreplace"))
