"""Can two requests be told apart by the time of their answers? Asked as an attacker would, answered by one number.

The area under the ROC curve is the chance that an answer of one kind took longer than one of the other: 0.5 is a
guess, 1 is certainty. Requests alternate, on one connection, so that whatever drifts drifts for both.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

WARM_UP = 60


class Line:
    """One keep-alive connection that sends whole requests and reads whole answers, without more ado."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def timed(self, request: bytes, *, bodiless: bool = False) -> tuple[int, int]:
        """Send a request; give the nanoseconds until the answer's end, and its status."""
        began = time.perf_counter_ns()
        self._socket.sendall(request)
        data = self._socket.recv(65536)
        while b"\r\n\r\n" not in data:
            data += self._received()
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0 if bodiless else _length(head)
        while len(body) < length:
            body += self._received()
        return time.perf_counter_ns() - began, int(head[9:12])

    def _received(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data


def written(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Write a request without a body."""
    lines = [
        f"{method} {target} HTTP/1.1",
        "host: registry.test",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def told_apart(
    port: int, one: bytes, other: bytes, *, pairs: int = 1000, bodiless: bool = False
) -> tuple[float, set[int]]:
    """Send two requests in turns; give the area under the curve, and the statuses of all answers."""
    times: tuple[list[int], list[int]] = ([], [])
    statuses = set()
    with Line(port) as line:
        for request in (one, other) * WARM_UP:
            line.timed(request, bodiless=bodiless)
        for _ in range(pairs):
            for which in random.sample((0, 1), 2):
                taken, status = line.timed((one, other)[which], bodiless=bodiless)
                times[which].append(taken)
                statuses.add(status)
    return area(times[0], times[1]), statuses


def area(one: Sequence[int], other: Sequence[int]) -> float:
    """Give the area under the ROC curve, by ranks; equal times share theirs."""
    ordered = sorted([(taken, 0) for taken in one] + [(taken, 1) for taken in other])
    ranks, place = 0.0, 0
    while place < len(ordered):
        end = place
        while end < len(ordered) and ordered[end][0] == ordered[place][0]:
            end += 1
        ranks += sum(which == 0 for _, which in ordered[place:end]) * (place + 1 + end) / 2
        place = end
    return (ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
