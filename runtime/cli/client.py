"""The daemon's HTTP API over its unix socket, for one command: requests, streams of lines, and hijacked connections.

A client of the standard library's sockets alone: `http.client` costs more time to import than `moor version` may take,
and cannot hand out the connection after a 101. Knows nothing of terminals, tables and what the answers mean.
Source: RFC 9112; the Docker Engine API's reference for versions, hijacking and errors.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from io import BufferedReader
from typing import Any
from urllib.parse import quote, urlencode

from runtime import API_VERSION
from runtime.cli.answers import BLOCK, HEADER_LIMIT, Answer, Broken, Hijacked

Query = Mapping[str, str | int | bool | list[str] | None]


class Refused(Exception):
    """The daemon said no. `status`: HTTP's; `str(error)`: the daemon's sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(Exception):
    """No daemon answers on the socket; the message says at which, and why. `absent`: nobody listens there."""

    def __init__(self, message: str, *, absent: bool = False) -> None:
        super().__init__(message)
        self.absent = absent


class Client:
    """Asks the daemon on one socket. Keeps a connection for the next request; safe from several threads."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.ping: Mapping[str, str] = {}
        self._version = ""
        self._idle: list[tuple[socket.socket, BufferedReader]] = []

    @property
    def version(self) -> str:
        """The API version spoken: the daemon's or ours, whichever is older. Raises: Unreachable."""
        if not self._version:
            answer = self._exchange("HEAD", "/_ping", None, {})
            self.ping = answer.headers
            theirs = tuple(map(int, answer.headers.get("api-version", "1.47").split(".")))
            self._version = ".".join(map(str, min(theirs, API_VERSION)))
        return self._version

    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and wait for the answer's head.

        Args:    path: after the version, already quoted; query: lists are repeated, None left out, booleans 1 and 0.
                 body: an object for JSON; bytes, or an iterable of bytes, as they are.
        Raises:  Refused for 400 and above; Unreachable; Broken.
        """
        target = f"/v{self.version}{path}{_query(query)}"
        answer = self._exchange(method, target, body, headers or {})
        if answer.status >= 400:
            raise Refused(answer.status, _sentence(answer))
        return answer

    def json(self, path: str, query: Query | None = None) -> Any:
        """GET a JSON document. Raises as `ask`."""
        return self.ask("GET", path, query).json()

    def do(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Any:
        """Ask for something to be done, and read the whole answer as JSON. Raises as `ask`."""
        return self.ask(method, path, query, body).json()

    def hijack(self, path: str, query: Query | None = None, body: Any = None) -> Hijacked:
        """POST and take the connection over (attach, exec). Raises as `ask`."""
        target = f"/v{self.version}{path}{_query(query)}"
        connection, reader = self._dial()
        stream = Hijacked(connection, reader)
        try:
            self._send(connection, "POST", target, body, {"Connection": "Upgrade", "Upgrade": "tcp"})
            answer = _head(reader, lambda _whole: None)
            if answer.status >= 400:
                raise Refused(answer.status, _sentence(answer))
        except (Broken, Refused):
            stream.close()
            raise
        return stream

    def close(self) -> None:
        """Close what was kept for a next request."""
        while self._idle:
            connection, reader = self._idle.pop()
            reader.close()
            connection.close()

    def _exchange(self, method: str, target: str, body: Any, headers: Mapping[str, str]) -> Answer:
        connection, reader = self._kept() or self._dial()

        def ended(reusable: bool) -> None:
            if reusable:
                self._idle.append((connection, reader))
            else:
                reader.close()
                connection.close()

        try:
            self._send(connection, method, target, body, headers)
            answer = _head(reader, ended)
        except Broken:
            ended(False)
            raise
        if method == "HEAD":
            answer.bodiless()
        return answer

    def _kept(self) -> tuple[socket.socket, BufferedReader] | None:
        """A connection of an earlier request that the daemon has not closed since."""
        with suppress(IndexError):
            while True:
                connection, reader = self._idle.pop()
                try:
                    connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                except BlockingIOError:
                    return connection, reader
                except OSError:
                    pass
                reader.close()
                connection.close()
        return None

    def _dial(self) -> tuple[socket.socket, BufferedReader]:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self.path)
        except OSError as error:
            connection.close()
            raise _unreachable(self.path, error) from error
        return connection, BufferedReader(socket.SocketIO(connection, "r"), BLOCK)

    def _send(self, connection: socket.socket, method: str, target: str, body: Any, headers: Mapping[str, str]) -> None:
        lines = {"Host": "moor", "User-Agent": "moor", **headers}
        stream: Iterable[bytes] | None = None
        if isinstance(body, dict | list):
            body = json.dumps(body).encode()
            lines["Content-Type"] = "application/json"
        elif body is not None and not isinstance(body, bytes):
            stream, body = body, None
            lines["Transfer-Encoding"] = "chunked"
        if stream is None and method != "GET" and method != "HEAD":
            lines["Content-Length"] = str(len(body or b""))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        try:
            connection.sendall(head.encode("latin-1") + b"\r\n" + (body or b""))
        except ConnectionError as error:
            raise Broken(f"the daemon went away: {error}") from error
        if stream is not None:
            # The daemon may answer before it has read all: a thread sends, so that neither side waits for the other.
            threading.Thread(target=_feed, args=(connection, stream), daemon=True).start()


def segment(name: str) -> str:
    """Quote what a user named for use inside a path; slashes stay, as image names have them."""
    return quote(name, safe="/:@")


def _feed(connection: socket.socket, stream: Iterable[bytes]) -> None:
    try:
        for block in stream:
            if block:
                connection.sendall(b"%x\r\n%b\r\n" % (len(block), block))
        connection.sendall(b"0\r\n\r\n")
    except OSError:
        return  # the daemon wants no more; its answer says why


def _head(reader: BufferedReader, ended: Callable[[bool], None]) -> Answer:
    try:
        status_line = reader.readline(HEADER_LIMIT)
        headers: dict[str, str] = {}
        while line := reader.readline(HEADER_LIMIT).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
    except ConnectionError as error:
        raise Broken(f"the daemon went away: {error}") from error
    words = status_line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise Broken(f"the daemon's answer is no HTTP: {status_line[:80]!r}" if status_line else "the daemon went away")
    return Answer(reader, int(words[1]), headers, ended)


def _query(query: Query | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    pairs = [(name, v) for name, value in given.items() for v in (value if isinstance(value, list) else [value])]
    text = urlencode([(name, int(value) if isinstance(value, bool) else value) for name, value in pairs])
    return f"?{text}" if text else ""


def _sentence(answer: Answer) -> str:
    body = answer.read()
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace").strip() or f"the daemon answered {answer.status}"


def _unreachable(path: str, error: OSError) -> Unreachable:
    if isinstance(error, PermissionError):
        return Unreachable(
            f"permission denied while trying to connect to the engine's socket at unix://{path}; "
            "root and the members of its group (moor, as it comes) may"
        )
    absent = isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError)
    return Unreachable(
        f"Cannot connect to the Moorage engine at unix://{path}. Is the engine running? (moor daemon)", absent=absent
    )
