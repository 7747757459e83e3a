"""Watches the supervisors (conmon) of all containers: one thread, one pidfd each, a call when one ends.

Knows processes and ids; what an end means is the caller's. The call comes from a pool, so that one container's tidying
up does not hold up another's.
"""

import logging
import os
import selectors
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

_POOL = 16

_log = logging.getLogger(__name__)


class Supervisor:
    """The watching thread. `ended` is called with a container's id once its conmon has gone."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._selector.register(self._wake, selectors.EVENT_READ, "")
        self._closing = False
        self._pool = ThreadPoolExecutor(_POOL, "moor-ends")
        self._thread = threading.Thread(target=self._run, name="moor-supervisor", daemon=True)
        self._thread.start()

    def watch(self, container_id: str, supervisor: int) -> None:
        """Tell `ended` when this process goes, at once where it has gone already."""
        try:
            fd = os.pidfd_open(supervisor)
        except ProcessLookupError:
            self.submit(lambda: self._ended(container_id))
            return
        with self._lock:
            self._selector.register(fd, selectors.EVENT_READ, container_id)
        os.write(self._waker, b"\0")

    def submit(self, function: Callable[[], None]) -> None:
        """Run something beside the caller, in the pool."""
        with suppress(RuntimeError):  # the daemon ends: what is left undone is found at its next start
            self._pool.submit(function).add_done_callback(_report)

    def close(self) -> None:
        """Stop watching; containers live on. Ends that are being handled are waited for."""
        self._closing = True
        os.write(self._waker, b"\0")
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)
        for key in list(self._selector.get_map().values()):
            os.close(key.fd)
        self._selector.close()
        os.close(self._waker)

    def _run(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select():
                if key.fd == self._wake:
                    with suppress(BlockingIOError):
                        os.read(self._wake, 4096)
                    continue
                with self._lock:
                    self._selector.unregister(key.fd)
                os.close(key.fd)
                self.submit(partial(self._ended, str(key.data)))


def _report(done: "Future[None]") -> None:
    """Say what went wrong where nobody waits for the result."""
    if not done.cancelled() and (error := done.exception()) is not None:
        _log.error("a container's end could not be seen to", exc_info=error)


def supervises(pid: int, container_id: str) -> bool:
    """Whether a process is this container's conmon, and not another that has got its number since."""
    return pid > 0 and _is(_words(pid), container_id, ("conmon",))


def processes_of(container_ids: frozenset[str]) -> dict[str, list[int]]:
    """Every conmon and runtime process that names one of the containers."""
    found: dict[str, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        words = _words(int(entry.name))
        for container_id in container_ids.intersection(words):
            if _is(words, container_id, ("conmon", "runc", "crun")):
                found.setdefault(container_id, []).append(int(entry.name))
    return found


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def _is(words: list[str], container_id: str, names: tuple[str, ...]) -> bool:
    return bool(words) and words[0].rpartition("/")[2] in names and container_id in words
