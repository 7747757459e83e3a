"""Layers on their way, each once however many wait for it, and only so many at a time.

Who follows a transfer hears what it says. One that nobody follows any more is told so when it next says something, and
stops. Knows nothing of layers.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

HEARTBEAT = 2.0
"""Seconds without news after which the last line is told again: who has gone meanwhile is found out by that."""

Line = Mapping[str, Any]
Say = Callable[[Line], None]


class Abandoned(Exception):
    """Nobody waits for this transfer any more."""


class Inbox:
    """What one follower has not heard yet. Of lines that differ only in their progress it keeps the newest."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: dict[Hashable, Line] = {}

    def put(self, line: Line) -> None:
        """Leave a line."""
        with self._changed:
            key = (line.get("id"), line.get("status"))
            self._lines[key] = line
            self._changed.notify()

    def wake(self) -> None:
        """Let the follower look whether everything is over."""
        with self._changed:
            self._changed.notify()

    def take(self, over: Callable[[], bool]) -> list[Line]:
        """Wait for lines and take them; none once `over` says so, or after HEARTBEAT seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or over(), HEARTBEAT)
            lines = list(self._lines.values())
            self._lines.clear()
            return lines


class Transfer:
    """One piece of work and its followers."""

    def __init__(self, lock: threading.Lock, label: str) -> None:
        self.label = label
        self._lock = lock
        self._followers: set[Inbox] = set()
        self._last: Line | None = None
        self.future: Future[None] = Future()

    @property
    def abandoned(self) -> bool:
        """Whether nobody follows it."""
        return not self._followers

    def follow(self, inbox: Inbox) -> None:
        """Add a follower, who hears at once what was said last. Under the lock."""
        self._followers.add(inbox)
        if self._last is not None:
            inbox.put(self._last)

    def leave(self, inbox: Inbox) -> None:
        """Take a follower away. Harmless at any time."""
        with self._lock:
            self._followers.discard(inbox)

    def say(self, line: Line) -> None:
        """Tell the followers. Raises Abandoned where there is none."""
        with self._lock:
            if not self._followers:
                raise Abandoned
            self._last = line
            for inbox in self._followers:
                inbox.put(line)

    def wake(self, _: object = None) -> None:
        """Let every follower see that it is over."""
        with self._lock:
            for inbox in self._followers:
                inbox.wake()


class Transfers:
    """The transfers of an engine. Safe from any thread."""

    def __init__(self, parallel: int) -> None:
        self._threads = ThreadPoolExecutor(max(1, parallel), "moor-layer")
        self._lock = threading.Lock()
        self._running: dict[Hashable, Transfer] = {}

    def join(self, key: Hashable, work: Callable[[Say], object], inbox: Inbox, label: str = "") -> Transfer:
        """Follow the transfer of that key; where there is none, start `work`, or let it wait for a free thread."""
        with self._lock:
            transfer = self._running.get(key)
            if transfer is None or transfer.abandoned:
                transfer = self._running[key] = Transfer(self._lock, label)
                transfer.follow(inbox)
                transfer.future = self._threads.submit(self._run, key, transfer, work)
            else:
                transfer.follow(inbox)
        transfer.future.add_done_callback(transfer.wake)  # not under the lock: it may be called at once
        return transfer

    def close(self) -> None:
        """Start nothing more, and wait for what runs; who follows it should have left."""
        self._threads.shutdown(cancel_futures=True)

    def _run(self, key: Hashable, transfer: Transfer, work: Callable[[Say], object]) -> None:
        try:
            if not transfer.abandoned:
                work(transfer.say)
        finally:
            with self._lock:
                if self._running.get(key) is transfer:
                    del self._running[key]


def follow(transfers: Iterable[Transfer], inbox: Inbox, feed: Say) -> None:
    """Hand on what transfers say until all have ended, or one failed. Raises what it raised, and what `feed` does."""
    pending = list(transfers)

    def news() -> bool:
        return not pending or any(transfer.future.done() for transfer in pending)

    last: list[Line] = []
    try:
        while pending:
            lines = inbox.take(news)
            for line in lines or ([] if news() else last):
                feed(line)
            last = lines[-1:] or last
            for transfer in [transfer for transfer in pending if transfer.future.done()]:
                transfer.future.result()
                pending.remove(transfer)
        for line in inbox.take(news):
            feed(line)
    finally:
        for transfer in pending:
            transfer.leave(inbox)
