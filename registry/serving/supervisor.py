"""One parent, several workers: fork, watch, replace, drain. Both engines are run by it when there is more than one.

The parent serves nothing and stays single-threaded, for a fork copies only the calling thread; it must hold no database
connection when it starts. A worker dies with its parent (PR_SET_PDEATHSIG on Linux), so that a killed parent leaves
nobody behind who holds the port or the data directory.
"""

import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

WATCHED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
STARTUP_FAILURE = 3
PR_SET_PDEATHSIG = 1
LONGEST_BACKOFF = 30.0
GRACE = 5.0  # after the drain limit, a worker has this long to end by itself

Work = Callable[[int, Callable[[], None]], int]


@dataclass(slots=True)
class _Child:
    """A worker process as its parent sees it; `replaces` is retired once this one is ready."""

    slot: int
    pid: int
    ready_fd: int
    replaces: "_Child | None" = None
    ready: bool = False
    kill_at: float | None = None


@dataclass(slots=True)
class _Slot:
    """One place to be filled: who fills it, how often that failed in a row, and when to try again."""

    child: _Child | None = None
    failures: int = 0
    retry_at: float = 0.0
    retiring: list[_Child] = field(default_factory=list)


class Supervisor:
    """Keeps `count` workers alive until a signal says otherwise.

    Args: work: what a worker does, given its slot's number and a function to call once it serves; returns an exit code.
          stop_listening: called in the parent when draining begins, so that nobody accepts any more.
          announce: called once, when every worker serves for the first time.
          renew: asked about once a second; True replaces all workers, one new beside each old.
    """

    def __init__(
        self,
        work: Work,
        count: int,
        *,
        drain_timeout: float,
        stop_listening: Callable[[], None],
        announce: Callable[[], None],
        renew: Callable[[], bool] = lambda: False,
    ) -> None:
        self._work = work
        self._slots = [_Slot() for _ in range(count)]
        self._drain_timeout = drain_timeout
        self._stop_listening = stop_listening
        self._announce = announce
        self._renew = renew
        self._announced = False

    def run(self) -> int:
        """Start the workers and stay until they are drained. Returns the process's exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        gc.collect()
        gc.freeze()  # what exists now stays shared between the workers instead of being copied by their collectors
        for number in range(len(self._slots)):
            self._start(number)
        while True:
            info = signal.sigtimedwait(WATCHED, 1.0 if self._settled() else 0.02)
            number = info.si_signo if info else 0
            if number in (signal.SIGTERM, signal.SIGINT):
                return self._drain(0)
            self._note_ready()
            if not self._reap():
                return self._drain(STARTUP_FAILURE)
            self._refill()
            if self._announced and (self._renew() or number == signal.SIGHUP):
                self._replace_all()

    def _settled(self) -> bool:
        return all(slot.child is not None and slot.child.ready for slot in self._slots)

    def _start(self, number: int) -> None:
        """Fork a worker into a slot. The watched signals are blocked here, so none is handled by the wrong process."""
        slot, parent = self._slots[number], os.getpid()
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            _become_worker(parent)
            _run_and_exit(self._work, number, writer)
        os.close(writer)
        os.set_blocking(reader, False)
        slot.child = _Child(number, pid, reader, replaces=slot.child)

    def _note_ready(self) -> None:
        for slot in self._slots:
            child = slot.child
            if child is None or child.ready:
                continue
            with contextlib.suppress(BlockingIOError):
                child.ready = os.read(child.ready_fd, 1) == b"r"
            if child.ready:
                slot.failures = 0
                if child.replaces is not None:
                    self._retire(slot, child.replaces)
                    child.replaces = None
        if not self._announced and self._settled():
            self._announced = True
            self._announce()

    def _retire(self, slot: _Slot, child: _Child) -> None:
        child.kill_at = time.monotonic() + self._drain_timeout + GRACE
        slot.retiring.append(child)
        _signal(child, signal.SIGTERM)

    def _reap(self) -> bool:
        """Collect those who ended. Returns False if a worker could not even start the first time."""
        now = time.monotonic()
        for slot in self._slots:
            for old in list(slot.retiring):
                if _ended(old) is not None:
                    slot.retiring.remove(old)
                elif old.kill_at is not None and now >= old.kill_at:
                    _signal(old, signal.SIGKILL)
            child = slot.child
            if child is None:
                continue
            if child.replaces is not None and _ended(child.replaces) is not None:
                child.replaces = None
            status = _ended(child)
            if status is None:
                continue
            if not self._announced and not child.ready:
                logger.error("worker %d could not start (%s)", child.pid, _describe(status))
                slot.child = None
                return False
            slot.child = child.replaces  # a newcomer that failed leaves the old worker in its place
            slot.failures += 0 if child.ready else 1
            slot.retry_at = now + (min(LONGEST_BACKOFF, 0.5 * 2**slot.failures) if slot.failures else 0.0)
            logger.warning("worker %d ended (%s); replacing it", child.pid, _describe(status))
        return True

    def _refill(self) -> None:
        now = time.monotonic()
        for number, slot in enumerate(self._slots):
            if slot.child is None and now >= slot.retry_at:
                self._start(number)

    def _replace_all(self) -> None:
        logger.info("replacing all workers")
        for number, slot in enumerate(self._slots):
            if slot.child is not None and slot.child.ready:
                self._start(number)

    def _everyone(self) -> list[_Child]:
        current = [slot.child for slot in self._slots if slot.child is not None]
        older = [child.replaces for child in current if child.replaces is not None]
        return current + older + [child for slot in self._slots for child in slot.retiring]

    def _drain(self, code: int) -> int:
        """Let every worker finish what it has begun, up to the limit; a second Ctrl-C ends them at once."""
        self._stop_listening()
        children = self._everyone()
        for child in children:
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + self._drain_timeout + GRACE
        while children:
            info = signal.sigtimedwait(WATCHED, 0.2)
            if time.monotonic() >= deadline or (info is not None and info.si_signo == signal.SIGINT):
                logger.warning("%d workers did not finish in time and are ended now", len(children))
                deadline = time.monotonic() + GRACE
                for child in children:
                    _signal(child, signal.SIGKILL)
            children = [child for child in children if _ended(child) is None]
        return code


def _become_worker(parent: int) -> None:
    """Undo what the parent arranged for itself, and tie this process's life to the parent's."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent passes it on as SIGTERM
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)


def _run_and_exit(work: Work, number: int, writer: int) -> None:
    """Run the worker and leave by os._exit: the parent's exit handlers are not ours to run."""
    code = STARTUP_FAILURE
    try:
        code = work(number, lambda: _tell(writer))
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else STARTUP_FAILURE
    except BaseException:
        logger.exception("the worker failed")
    finally:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell(writer: int) -> None:
    os.write(writer, b"r")
    os.close(writer)


def _signal(child: _Child, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, number)


def _ended(child: _Child) -> int | None:
    """Give the wait status of a worker that has ended, once; None while it lives."""
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid == 0:
        return None
    os.close(child.ready_fd)
    return status


def _describe(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
