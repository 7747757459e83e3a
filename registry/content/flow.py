"""Bytes on their way from one store to another: how many have passed, how fast they may, and when to stop.

One for all threads of a move. Knows neither blobs nor stores.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator

SLICE = 0.05
"""Seconds that a paced thread sleeps at least: many sleeps of microseconds would cost more than they pace."""


class Stopped(Exception):
    """The move was stopped; what was under way is undone."""


class Flow:
    """The bytes of all threads together. `rate`: bytes a second at most; None: as fast as they come."""

    def __init__(self, rate: int | None = None) -> None:
        self._rate = rate
        self._passed = 0
        self._free_at = time.monotonic()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @property
    def passed(self) -> int:
        """How many bytes were counted."""
        return self._passed

    def count(self, size: int) -> None:
        """Count bytes; below 0 for those that have to pass once more."""
        with self._lock:
            self._passed += size

    def stop(self) -> None:
        """Let every thread raise Stopped at its next block or rest."""
        self._stopped.set()

    def rest(self, seconds: float) -> None:
        """Wait for a while. Raises Stopped."""
        if self._stopped.wait(seconds):
            raise Stopped

    def paced(self, blocks: Iterable[bytes], alongside: Callable[[], None]) -> Iterator[bytes]:
        """Pass blocks on no faster than they may, and do something small at each. Raises Stopped."""
        for block in blocks:
            self.rest(self._due(len(block)))
            alongside()
            yield block

    def _due(self, size: int) -> float:
        """Tell in how many seconds so many bytes may pass."""
        if self._rate is None:
            return 0
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size / self._rate
            due = self._free_at - now
        return due if due > SLICE else 0
