"""A small blocking HTTP client for the fault checks: one connection, exact times, no retries.

It knows HTTP/1.1 and nothing about registries. Whoever calls it must be able to tell three cases apart: an answer that
came whole, an answer whose body was cut, and no answer at all, because only the first two acknowledge anything.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType

Body = bytes | Iterable[bytes]


class Lost(Exception):
    """No status line arrived: whether the request took effect is not known."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `whole` is false when the connection broke inside the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool
    start: float
    end: float

    def header(self, name: str) -> str:
        """Return a header, or the empty string."""
        return self.headers.get(name.lower(), "")


class Wire:
    """A keep-alive connection to one server; opened when needed, dropped at the first error."""

    def __init__(self, host: str, port: int, *, timeout: float = 15.0) -> None:
        self.host = host
        self.port = port
        self.timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: Body = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """Send one request and read its answer; raises Lost when no status line came back."""
        start = time.monotonic()
        connection = self._connection or http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        self._connection = connection
        try:
            response = _exchange(connection, method, path, body, headers or {})
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f"{method} {path}: {error!r}") from error
        found = {name.lower(): value for name, value in response.getheaders()}
        try:
            content, whole = response.read(), True
        except http.client.IncompleteRead as error:
            content, whole = error.partial, False
        except (OSError, http.client.HTTPException):
            content, whole = b"", False
        if not whole or response.will_close:
            self.close()
        return Reply(response.status, found, content, whole, start, time.monotonic())

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: Body, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """Send and wait for the answer; a server may answer and close before it has read the whole body."""
    try:
        connection.request(method, path, body=body or None, headers=dict(headers))
    except (BrokenPipeError, ConnectionResetError):
        if connection.sock is None:
            raise
        early = http.client.HTTPResponse(connection.sock, method=method)
        early.begin()
        early.will_close = True
        return early
    return connection.getresponse()
