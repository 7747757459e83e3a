"""HTTP/1.1 on uvicorn: its httptools protocol with a bounded head, deadlines, and answers in OCI JSON.

Pinned to uvicorn's minor version (`PINNED` below, and pyproject.toml): `on_headers_complete` and `on_response_complete`
stand in for uvicorn's own. Deadlines are judged by the server's sweep once a second, so that a request arms no timer.
"""

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
import urllib.parse
from concurrent.futures import Executor
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from registry.oci.errors import ErrorCode
from registry.serving.cycle import FILE_EXTENSIONS, Cycle
from registry.serving.direct import LEAST, BodyReceiver
from registry.serving.plan import FIELD_REST, LINE_REST, ServingPlan
from registry.serving.refusals import refusal

PINNED = "0.54"
_REFUSAL_LINGER = 2.0  # how long a refused client may go on sending before it is cut: a reset could eat the answer


class _Refused(Exception):
    """Raised inside a parser callback to stop the parser; the reason is on the protocol."""


class GuardedHttp1(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self, plan: ServingPlan, file_pool: Executor, *, config: Config, state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, state, app_state)
        self._plan = plan
        self._file_pool = file_pool
        self._why: tuple[ErrorCode, str | None] | None = None  # why the parser was stopped
        self._refused_at: float | None = None
        self._in_head = True
        self.body_left = 0  # of the message under way, where its length is known
        self._head_bytes = 0  # of the unfinished head, without what came in the chunk that ended its predecessor
        self._chunk_bytes = 0
        self._head_since: float | None = None
        self._idle_since = 0.0
        self._progress = (0, 0)
        self._progress_at = 0.0

    # What comes in

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Begin: the first head is waited for from now on."""
        super().connection_made(transport)
        now = self.loop.time()
        self._head_since = self._idle_since = self._progress_at = now

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse what it refuses, and a head that is larger than the plan allows."""
        if self._refused_at is not None:
            return
        self._chunk_bytes = len(data)
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nothing can be upgraded to here, and what follows is in a protocol that was not agreed on.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            code, message = self._why or (ErrorCode.REQUEST_INVALID, "this is not a valid HTTP/1.1 request")
            self.refuse(code, message)
            return
        if self.body_left >= LEAST and self.scheme == "http":
            BodyReceiver(self, self.transport)
        if self._in_head and self._head_bytes > self._plan.max_header_bytes:
            self.refuse(ErrorCode.HEADERS_TOO_LARGE)

    def refuse(self, code: ErrorCode, message: str | None = None) -> None:
        """Answer what is not a request, and take nothing more from this connection."""
        self._refused_at = self.loop.time()
        if self._busy():
            # An answer is under way and this is the next request, or its own body is broken: nothing can be said.
            self.transport.abort()
            return
        self.transport.write(refusal(code, message))
        if self.transport.can_write_eof():
            self.flow.resume_reading()
            self.transport.write_eof()
        else:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._head_since = self.loop.time()
        self._in_head = True

    def on_message_complete(self) -> None:
        """End a message; the next head may begin in the same chunk."""
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def end_body(self) -> None:
        """Go on after a body that was received past the parser: that parser is still inside it, so a new one starts."""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.on_message_complete()

    def on_body(self, body: bytes | memoryview) -> None:
        """Keep a piece of the body for the application, or drop it when the answer is already given."""
        self.body_left -= len(body)
        cycle: Any = self.cycle
        if not cycle.response_complete and cycle.add_body(body):
            self.flow.pause_reading()

    def on_headers_complete(self) -> None:
        """Check the head and start the application."""
        self._in_head = False
        self._head_since = None
        self._check_head()
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._stop(ErrorCode.REQUEST_INVALID, f"HTTP/{version} is not spoken here")
        method = self.parser.get_method().decode("ascii")
        url = httptools.parse_url(self.url)
        raw_path = url.path or b"/"  # an absolute-form target may have none (RFC 9112, section 3.2.2)
        path = raw_path.decode("ascii")
        scope: Any = self.scope
        scope["method"] = method
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = url.query or b""
        if version != "1.1":
            scope["http_version"] = version
        if self.scheme == "http":
            scope["extensions"] = FILE_EXTENSIONS
        busy = self._busy()
        # A pipelined message stays with the parser: its cycle is not the one that is read for yet.
        self.body_left = 0 if busy else self._announced_length()
        self.cycle = cycle = self._cycle(keep_alive=version != "1.0" and self.parser.should_keep_alive())
        if busy:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._start_asgi_task(cycle, self.app)

    def _announced_length(self) -> int:
        """Give Content-Length, which the parser has checked; a chunked body has none."""
        return next((int(value) for name, value in self.headers if name == b"content-length"), 0)

    def _cycle(self, *, keep_alive: bool) -> Cycle:
        return Cycle(
            file_pool=self._file_pool,
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def _check_head(self) -> None:
        plan, headers = self._plan, self.headers
        if len(headers) > plan.max_headers:
            self._stop(ErrorCode.HEADERS_TOO_LARGE)
        # Counted only where it can be too large: a small request came in one small chunk.
        if self._head_bytes + self._chunk_bytes > plan.max_header_bytes:
            size = len(self.parser.get_method()) + len(self.url) + LINE_REST
            size += sum(len(name) + len(value) + FIELD_REST for name, value in headers)
            if size > plan.max_header_bytes:
                self._stop(ErrorCode.HEADERS_TOO_LARGE)
        hosts = sum(name == b"host" for name, _ in headers)
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            self._stop(ErrorCode.REQUEST_INVALID, "a request needs exactly one Host header")

    def _stop(self, code: ErrorCode, message: str | None = None) -> None:
        self._why = (code, message)
        raise _Refused

    # What goes out

    def on_response_complete(self) -> None:
        """Go on with the next pipelined request, or begin to wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._idle_since = self.loop.time()
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    # What does not move

    def sweep(self, now: float) -> None:
        """Close the connection if a deadline has passed. Called by the server about once a second."""
        if self._refused_at is not None:
            if now - self._refused_at > _REFUSAL_LINGER:
                self.transport.abort()
        elif self._stalled(now):
            self._cut()
        elif not self._busy() and not self.transport.is_closing():
            self._sweep_quiet(now)

    def _cut(self) -> None:
        """End the connection by a reset, so that the kernel drops the megabytes it still holds for a stalled client."""
        with contextlib.suppress(OSError):
            no_linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self.transport.abort()

    def _sweep_quiet(self, now: float) -> None:
        """Judge a connection on which no answer is under way."""
        plan = self._plan
        if not self._in_head:
            # Answered, but the body still comes: a client may finish it to find the answer, not for ever.
            if now - self._idle_since > plan.linger:
                self._cut()
        elif self._head_since is None:
            if now - self._idle_since > plan.keep_alive:
                self.transport.close()
        elif now - max(self._head_since, self._idle_since) > plan.header_timeout:
            if self._head_bytes:
                self.refuse(ErrorCode.REQUEST_TIMEOUT, "the request's headers came too slowly")
            else:
                self.transport.close()

    def _busy(self) -> bool:
        """Say whether an answer is under way."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _stalled(self, now: float) -> bool:
        """Say whether the client has taken nothing for too long of what is on its way to it."""
        cycle: Any = self.cycle
        busy = self._busy()
        waiting = self.transport.get_write_buffer_size()
        if busy and cycle.response_started:
            waiting += self._unacknowledged()
        if not waiting:
            self._progress_at = now
            return False
        progress = (waiting, cycle.file_bytes if busy else 0)
        if progress != self._progress:
            self._progress, self._progress_at = progress, now
        return now - self._progress_at > self._plan.write_stall

    def _unacknowledged(self) -> int:
        """Give the bytes that the kernel holds for this client (SIOCOUTQ)."""
        try:
            answer = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        except (OSError, ValueError):
            return 0
        return int(struct.unpack("i", answer)[0])
