"""A proxy before an S3 server that spoils some of its calls in seven ways, and can be an outage.

error    500, nothing done            stall    nothing for 20 s, then the connection ends
slow     503 SlowDown, nothing done   cut      a GET's body ends early
reset    the connection is reset      late     a Complete is done, and answered 200 with an error in it
etag     the answer names another ETag
"""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAYS = ("error", "slow", "reset", "stall", "cut", "late", "etag")
STALL = 20.0
_ERROR = "<Error><Code>{}</Code><Message>on purpose</Message></Error>"
_HOP = frozenset({"connection", "transfer-encoding", "expect", "keep-alive", "content-length"})


class S3Proxy:
    """`share` of the calls meet trouble; while `down`, connections are closed unanswered."""

    def __init__(self, target: int, port: int, seed: int) -> None:
        self.target = target
        self.endpoint = f"http://127.0.0.1:{port}"
        self.share = 0.0
        self.down = False
        self.met: Counter[str] = Counter()
        self.calls = 0
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def fate(self, method: str, target: str) -> str:
        """Decide what a call meets."""
        with self._lock:
            self.calls += 1
            if self._random.random() >= self.share:
                return ""
            way = self._random.choice(WAYS)
            if way == "late" and not (method == "POST" and "uploadId=" in target):
                way = "error"
            if way == "cut" and method != "GET":
                way = "slow"
            self.met[way] += 1
            return way


@contextmanager
def start_s3_proxy(endpoint: str, *, seed: int = 1) -> Iterator[S3Proxy]:
    """Stand before a server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    proxy = S3Proxy(int(endpoint.rpartition(":")[2]), server.server_address[1], seed)
    server.proxy = proxy  # type: ignore[attr-defined]  # how handlers find it
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _pass(self) -> None:
        proxy: S3Proxy = self.server.proxy  # type: ignore[attr-defined]  # set by start_s3_proxy
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        way = proxy.fate(self.command, self.path)
        if proxy.down or way == "reset":
            self._reset()
        elif way == "stall":
            time.sleep(STALL)
            self.close_connection = True
        elif way == "error":
            self._send(500, {}, _ERROR.format("InternalError").encode())
        elif way == "slow":
            self._send(503, {}, _ERROR.format("SlowDown").encode())
        else:
            self._spoil(way, *self._forwarded(proxy.target, content))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

    def _forwarded(self, target: int, content: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", target, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "expect":
                    connection.putheader(name, value)
            connection.endheaders(content or None)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            if self.command == "HEAD":
                headers["Content-Length"] = answer.getheader("content-length") or "0"
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def _spoil(self, way: str, status: int, headers: dict[str, str], body: bytes) -> None:
        if way == "late":
            status, body = 200, _ERROR.format("InternalError").encode()
        elif way == "etag" and "ETag" in headers:
            headers["ETag"] = f'"{"0" * 32}"'
        self._send(status, headers, body, cut=len(body) // 2 if way == "cut" else None)

    def _send(self, status: int, headers: dict[str, str], body: bytes, *, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body[:cut])
        self.close_connection = self.close_connection or cut is not None

    def _reset(self) -> None:
        """End the connection by RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
