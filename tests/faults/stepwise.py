"""Counts the steps by which a server changes its disk, and kills it, or fails, at the Nth.

A step is a call of Python's os module that changes files (write, fsync, link, unlink, mkdir, truncate, rename, an open
that creates) or the commit of a transaction, with one step before and one after it. What SQLite does inside a commit
is SQLite's own business. Reached like a sabotage; counting starts at the first request that is not a GET.
"""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPPING = "step-"
REPORT = "FAULTS_STEPS"
CHANGING = (
    *("write", "pwrite", "fsync", "fdatasync", "link", "unlink", "mkdir", "rmdir", "rename", "replace"),
    *("truncate", "ftruncate", "symlink"),
)


class Steps:
    """The counter, and what happens when it reaches its number."""

    def __init__(self, mode: str, number: int) -> None:
        self.mode = mode
        self.number = number
        self.count = 0
        self.armed = False
        self._lock = threading.Lock()

    def reached(self) -> bool:
        """Count one step; returns whether it is the one that fails. Killing does not return."""
        if not self.armed:
            return False
        with self._lock:
            self.count += 1
            hit = self.count == self.number
        if hit and self.mode == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "count":
            Path(os.environ[REPORT]).write_bytes(b"%d" % self.count)
        return hit and self.mode == "fail"

    def wrap(self, name: str) -> None:
        """Put a step in front of a function of os."""
        real: Callable[..., Any] = getattr(os, name)

        def stepped(*arguments: Any, **named: Any) -> Any:
            log = name == "write" and arguments and arguments[0] in (1, 2)
            if not log and self.reached():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*arguments, **named)

        setattr(os, name, stepped)

    def wrap_open(self) -> None:
        """Put a step in front of an open that creates a file."""
        real = os.open

        def stepped(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
            if flags & os.O_CREAT and self.reached():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(path, flags, *arguments, **named)

        os.open = stepped

    def wrap_commit(self) -> None:
        """Put a step before and one after every commit."""
        from sqlalchemy.engine.default import DefaultDialect

        real: Callable[[Any, Any], None] = DefaultDialect.do_commit

        def stepped(dialect: Any, connection: Any) -> None:
            if self.reached():
                raise sqlite3.OperationalError("disk I/O error")
            real(dialect, connection)
            if self.mode == "kill":
                self.reached()

        DefaultDialect.do_commit = stepped  # type: ignore[method-assign]  # that is what a sabotage is


def stepping(name: str) -> Callable[[Any], Any]:
    """Return the act for `step-kill-17`, `step-fail-17` or `step-count-0`."""
    _, mode, number = name.split("-")
    steps = Steps(mode, int(number))

    def act(app: Any) -> Any:
        for changing in CHANGING:
            steps.wrap(changing)
        steps.wrap_open()
        steps.wrap_commit()

        async def watching(scope: Any, receive: Any, send: Any) -> None:
            steps.armed = steps.armed or scope.get("method", "GET") != "GET"
            await app(scope, receive, send)

        return watching

    return act
