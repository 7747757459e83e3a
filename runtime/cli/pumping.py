"""Bytes between the user's standard streams and a container's, over a connection that was taken over from HTTP.

With a terminal both outputs are one stream as it is; without, frames tell them apart: one byte of stream (1 stdout,
2 stderr), three of nothing, four of length (Docker Engine API, "Stream format").
"""

import os
import sys
import threading

from runtime.cli.answers import BLOCK, Broken, Framed, Hijacked
from runtime.cli.terminal import Detached, DetachKeys, raw

FRAME_HEADER = 8
STDERR = 2


class Pump:
    """One attached session: a thread carries the input, the caller's thread the output."""

    def __init__(self, stream: Hijacked, *, tty: bool, stdin: bool, detach: bytes = b"") -> None:
        """`tty`: the container has a terminal; `stdin`: whether input goes there; `detach`: the keys that let go."""
        self._stream = stream
        self._tty = tty
        self._stdin = stdin
        self._detach = DetachKeys(detach) if tty and detach else None
        self._let_go = False

    def run(self) -> None:
        """Carry bytes until the container's side ends. Raises: Detached when the user let go, Broken, OSError."""
        if not self._stdin:
            self._stream.write_eof()
            self._output()
            return
        terminal = sys.stdin.fileno()
        if not self._tty:
            self._start_input(terminal)
            self._output()
            return
        with raw(terminal):
            self._start_input(terminal)
            self._output()

    def _start_input(self, fd: int) -> None:
        threading.Thread(target=self._input, args=(fd,), daemon=True).start()

    def _input(self, fd: int) -> None:
        try:
            while block := os.read(fd, BLOCK):
                self._stream.write(self._detach.through(block) if self._detach else block)
        except Detached:
            self._let_go = True
            self._stream.close()
            return
        except OSError:
            return  # the container's side has ended; the output's end says so
        self._stream.write_eof()

    def _output(self) -> None:
        try:
            if self._tty:
                self._copy()
            else:
                demultiplex(self._stream)
        except (OSError, ValueError):
            if not self._let_go:  # our own thread closed the stream under the reader
                raise
        if self._let_go:
            raise Detached

    def _copy(self) -> None:
        while block := self._stream.read():
            write_all(sys.stdout.fileno(), block)


def demultiplex(stream: Hijacked | Framed) -> None:
    """Write frames to where they belong until the stream ends. Raises: Broken when it ends within a frame."""
    while head := stream.exactly(FRAME_HEADER):
        if len(head) < FRAME_HEADER:
            raise Broken("the container's stream ended in the middle of a frame")
        fd = sys.stderr.fileno() if head[0] == STDERR else sys.stdout.fileno()
        left = int.from_bytes(head[4:], "big")
        while left:
            block = stream.read(min(left, BLOCK))
            if not block:
                raise Broken("the container's stream ended in the middle of a frame")
            left -= len(block)
            write_all(fd, block)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte. Raises: OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
