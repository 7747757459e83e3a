"""Upload sessions in the hand of a check: each request on a fresh connection, so that any worker may get it.

It sends exactly what it is told, right or wrong, and reports what came back; what should have come is the check's
knowledge.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tests.faults.client import OCTETS, closing
from tests.faults.oracle import digest_of
from tests.faults.wire import Lost, Reply, Wire

RANGE = re.compile(r"0-(\d+)")


class Target(Protocol):
    """What a session is sent to: one server, or several behind one address; it can be ended and started again."""

    def wire(self, *, timeout: float = ...) -> Wire:
        """Give a new client connection."""

    def stop(self) -> object:
        """Send SIGTERM and wait for the end."""

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""

    def start(self) -> object:
        """Start again and wait until it is ready."""


@dataclass(slots=True)
class Session:
    """One upload session: where it is, as the server last said."""

    server: Target
    repository: str
    location: str = ""

    def open(self) -> Session:
        """POST a new session; raises Lost when the server refuses."""
        reply = self.send("POST", f"/v2/{self.repository}/blobs/uploads/")
        if reply.status != 202:
            raise Lost(f"POST answers {reply.status}: {reply.body[:200]!r}")
        return self

    def send(self, method: str, path: str, body: bytes | Iterable[bytes] = b"", **headers: str) -> Reply:
        """Send one request on a connection of its own and follow the Location it gives."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.server.wire(timeout=40) as wire:
            reply = wire.call(method, path, body, OCTETS | named if body else named)
        if reply.status == 202 and reply.header("location"):
            self.location = reply.header("location")
        return reply

    def patch(self, body: bytes | Iterable[bytes], first: int | None = None, length: int | None = None) -> Reply:
        """PATCH a chunk; with `first` it carries a Content-Range."""
        headers = {}
        if first is not None:
            size = length if length is not None else len(body) if isinstance(body, bytes) else 0
            headers["Content_Range"] = f"{first}-{first + size - 1}"
        if length is not None and not isinstance(body, bytes):
            headers["Content_Length"] = str(length)
        return self.send("PATCH", self.location, body, **headers)

    def put(self, digest: str, body: bytes = b"", first: int | None = None) -> Reply:
        """PUT the closing request, with or without a last chunk."""
        headers = {"Content_Range": f"{first}-{first + len(body) - 1}"} if first is not None else {}
        return self.send("PUT", closing(self.location, digest), body, **headers)

    def status(self) -> Reply:
        """GET the session's status."""
        return self.send("GET", self.location)

    def cancel(self) -> Reply:
        """DELETE the session."""
        return self.send("DELETE", self.location)

    def blob(self, digest: str) -> Reply:
        """GET a blob."""
        return self.send("GET", f"/v2/{self.repository}/blobs/{digest}")

    def finish(self, content: bytes, received: int) -> list[str]:
        """Send what is missing, close the session, read the blob back; returns what went wrong."""
        wrong = self._resume(content, received) if received < len(content) else None
        if wrong is not None:
            return [f"resuming at byte {received}: {told(wrong)}"]
        digest = digest_of(content)
        closed = self.put(digest)
        if closed.status != 201:
            return [f"closing PUT: {told(closed)}"]
        reply = self.blob(digest)
        return [] if reply.status == 200 and reply.body == content else [f"I4: blob read back: {told(reply)}"]

    def _resume(self, content: bytes, received: int) -> Reply | None:
        """Send the rest; returns the answer when it is wrong."""
        reply = self.patch(content[received:], received)
        if reply.status == 416 and received == 0:  # `Range: 0-0` means none or one byte: the format cannot say which
            if len(content) == 1:
                return None
            reply = self.patch(content[1:], 1)
        return None if reply.status == 202 and last_byte(reply) == len(content) - 1 else reply


def last_byte(reply: Reply) -> int | None:
    """Return N of `Range: 0-N`, or None when the header is missing or of another form."""
    found = RANGE.fullmatch(reply.header("range"))
    return int(found[1]) if found else None


def received(reply: Reply) -> int:
    """Return how many bytes a status says have arrived; 0 for `0-0`, which may also mean one."""
    last = last_byte(reply)
    return last + 1 if last else 0


def told(reply: Reply) -> str:
    """Describe an answer for a violation."""
    parts = [
        f"{reply.status}",
        *(f"{name}={reply.header(name)}" for name in ("range", "location") if reply.header(name)),
    ]
    return " ".join([*parts, repr(reply.body[:160]) if reply.status >= 400 else ""]).strip()


def problem(reply: Reply, *wanted: int) -> list[str]:
    """Return what is wrong when the status is not one of those wanted, or an error is not OCI JSON."""
    if reply.status not in wanted:
        return [f"wanted {' or '.join(map(str, wanted))}, got {told(reply)}"]
    if reply.status >= 400 and not reply.body.startswith(b'{"errors":[{"code":'):
        return [f"not an OCI error document: {told(reply)}"]
    return []


def slowly(content: bytes, pieces: int, seconds: float) -> Iterable[bytes]:
    """Yield the content in pieces, spread over some time."""
    step = max(1, -(-len(content) // pieces))
    for first in range(0, len(content), step):
        if first:
            time.sleep(seconds / pieces)
        yield content[first : first + step]
