"""A program on a pseudo-terminal of the test's own: what a person would see, and type."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

WITHIN = 60.0
SIZE = (33, 111)


class NotSeen(AssertionError):
    """The terminal did not show in time what it was to show; carries what it showed."""


class Terminal:
    """A running program with a terminal; everything it has written is in `seen`."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self.fd = fd
        self.seen = ""
        self._mark = 0

    def expect(self, pattern: str, within: float = WITHIN) -> re.Match[str]:
        """Wait until a pattern appears after what was expected before. Raises: NotSeen."""
        limit = time.monotonic() + within
        while not (match := re.compile(pattern).search(self.seen, self._mark)):
            if not self._read(limit):
                raise NotSeen(f"{pattern!r} was not seen in {self.seen[self._mark :]!r}")
        self._mark = match.end()
        return match

    def type(self, text: str | bytes) -> None:
        """Press keys."""
        os.write(self.fd, text.encode() if isinstance(text, str) else text)

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size, as dragging its corner does."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, within: float = WITHIN) -> int:
        """Read to the end and return the exit status. Raises: NotSeen where the program does not end."""
        limit = time.monotonic() + within
        while self._read(limit):
            pass
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > limit:
                raise NotSeen(f"no end within {within:.0f} s; seen: {self.seen!r}")
            time.sleep(0.01)

    def settings(self) -> list[object]:
        """The terminal's settings, for seeing whether they were given back."""
        return list(termios.tcgetattr(self.fd))

    def _read(self, limit: float) -> bool:
        """Read what is there; says whether more may come."""
        ready, _, _ = select.select([self.fd], [], [], max(0.0, limit - time.monotonic()))
        if not ready:
            return False
        try:
            block = os.read(self.fd, 1 << 16)
        except OSError:  # Linux's way to say that the other side is closed
            return False
        self.seen += block.decode("utf-8", "replace")
        return bool(block)


@contextmanager
def on_terminal(
    command: Sequence[str], environment: Mapping[str, str], size: tuple[int, int] = SIZE
) -> Iterator[Terminal]:
    """Run a program on a new terminal of that many rows and columns; it is killed at the end if it still runs."""
    pid, fd = pty.fork()
    if pid == 0:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            os.execvpe(command[0], list(command), dict(environment))  # noqa: S606  # the point of this function
        finally:
            os._exit(127)
    terminal = Terminal(pid, fd)
    try:
        yield terminal
    finally:
        os.close(fd)
        if terminal.pid:
            with suppress(ProcessLookupError):
                os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
