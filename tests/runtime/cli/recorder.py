"""A daemon that only writes down what it is asked: for comparing what two command lines send.

It answers `/_ping`, and every path by a table that the test gives; anything else is 404.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the path is without its version."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Recorder:
    """The daemon: where it listens, what it was asked, and what it answers ({"POST /auth": (200, {...})})."""

    socket: Path
    answers: dict[str, tuple[int, Any]]
    asked: list[Asked] = field(default_factory=list)
    api_version: str = "1.47"

    def last(self, start: str) -> Asked:
        """The newest request whose method and path begin so."""
        return next(one for one in reversed(self.asked) if f"{one.method} {one.path}".startswith(start))


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    recorder: Recorder


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        """Nothing is said."""

    def address_string(self) -> str:
        """A unix socket's peer has no address."""
        return "peer"

    def _answer(self) -> None:
        recorder = self.server.recorder
        _, _, rest = self.path.partition("/v1.")
        path = "/" + rest.partition("/")[2] if rest else self.path
        body = self._body()
        recorder.asked.append(Asked(self.command, path, dict(self.headers.items()), body))
        known = {"HEAD /_ping": (200, None), "GET /_ping": (200, "OK"), **recorder.answers}
        name = f"{self.command} {path.partition('?')[0]}"
        status, answer = known.get(name, (404, {"message": f"page not found: {name}"}))
        content = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Api-Version", recorder.api_version)
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # the names that http.server calls

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        pieces = []
        while size := int(self.rfile.readline().strip(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)


@contextmanager
def recording(directory: Path, answers: Mapping[str, tuple[int, Any]], version: str = "1.47") -> Iterator[Recorder]:
    """A live recorder with its socket in a directory."""
    recorder = Recorder(directory / "engine.sock", dict(answers), api_version=version)
    server = _Server(str(recorder.socket), _Handler)
    server.recorder = recorder
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
