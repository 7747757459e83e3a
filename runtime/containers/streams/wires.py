"""The ends of a running process's standard streams that the engine holds: what can be read, what can be written.

Nothing here waits: a caller polls `fileno()` (the API in its loop, `gather` in a thread). The kinds are conmon's attach
socket (one packet: a byte that names the stream, then at most 8 KiB), a pipe, and a terminal.
"""

import errno
import fcntl
import os
import selectors
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

STDOUT = 1
STDERR = 2

BLOCK = 32 * 1024
"""Bytes at a time; also the most that conmon takes in one packet: more would be cut off."""

_EARLY = 64 * 1024
"""Bytes that a process can have written before runc is ready: more than a terminal holds."""

_CONMON_STREAMS = {2: STDOUT, 3: STDERR}


class Output(Protocol):
    """Where a process's output comes from."""

    def fileno(self) -> int:
        """The descriptor to poll."""
        ...

    def read(self) -> tuple[int, bytes] | None:
        """Read a piece: its stream and bytes; None at the end. Raises: BlockingIOError where nothing is there yet."""
        ...


class Input(Protocol):
    """Where a process's input goes."""

    def fileno(self) -> int:
        """The descriptor to poll."""
        ...

    def write(self, data: bytes) -> int:
        """Write the beginning of `data`, return its length. Raises: BlockingIOError; OSError where nobody reads."""
        ...

    def finish(self) -> None:
        """Let the process read the end of its input."""
        ...


@dataclass(frozen=True, slots=True)
class Wires:
    """All ends of one process.

    `gone` is a pidfd, readable once the process has ended; what it wrote before may still be in `outputs`.
    """

    outputs: tuple[Output, ...]
    input: Input | None
    gone: int | None
    close: Callable[[], None]


class Pipe:
    """One end of a pipe."""

    def __init__(self, fd: int, stream: int = STDOUT) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._stream = stream
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """The descriptor; -1 once it is closed."""
        return self._fd

    def read(self) -> tuple[int, bytes] | None:
        """Read a piece, as `Output.read`."""
        data = os.read(self._fd, BLOCK)
        return (self._stream, data) if data else None

    def write(self, data: bytes) -> int:
        """Write, as `Input.write`."""
        return os.write(self._fd, data[:BLOCK])

    def finish(self) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it; harmless at any time."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


class Terminal:
    """The engine's side of a terminal: what is typed goes in, what is shown comes out.

    runc has a terminal of its own behind this one, and takes the translation of newlines over from it a moment after
    the process has begun: what is written before is translated by both. That is put right (runc 1.1, tty.go, recvtty).
    """

    def __init__(self, fd: int) -> None:
        self._pipe = Pipe(fd)
        self._lock = threading.Lock()
        self._early = _EARLY
        self._returned = False

    def fileno(self) -> int:
        """The descriptor; -1 once it is closed."""
        return self._pipe.fileno()

    def read(self) -> tuple[int, bytes] | None:
        """Read a piece; a terminal that nobody has open any more says EIO, which is its end."""
        try:
            piece = self._pipe.read()
        except OSError as error:
            if error.errno == errno.EIO:
                return None
            raise
        return None if piece is None else (STDOUT, self._put_right(piece[1]))

    def write(self, data: bytes) -> int:
        """Write, as `Input.write`."""
        return self._pipe.write(data)

    def finish(self) -> None:
        """Nothing: a terminal's input has no end, the user types ctrl-d."""

    def resize(self, height: int, width: int) -> None:
        """Set its size, in characters; nothing once it is closed."""
        with self._lock:
            if self.fileno() >= 0:
                fcntl.ioctl(self.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close(self) -> None:
        """Close it; harmless at any time."""
        with self._lock:
            self._pipe.close()

    def _put_right(self, data: bytes) -> bytes:
        """Take the second of two carriage returns before a newline away, where it may be runc's."""
        if self._early <= 0:
            return data
        self._early -= len(data)
        doubled = self._returned and data.startswith(b"\r\n")
        self._returned = data.endswith(b"\r")
        return data[doubled:].replace(b"\r\r\n", b"\r\n")


class Packets:
    """conmon's attach socket (SOCK_SEQPACKET): both streams out, one in."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection

    def fileno(self) -> int:
        """The descriptor."""
        return self._connection.fileno()

    def read(self) -> tuple[int, bytes] | None:
        """Read a packet, as `Output.read`; an unknown stream's counts as standard output's."""
        try:
            packet = self._connection.recv(BLOCK)
        except ConnectionResetError:  # conmon ended with input unread
            return None
        return (_CONMON_STREAMS.get(packet[0], STDOUT), packet[1:]) if packet else None

    def write(self, data: bytes) -> int:
        """Write a packet, as `Input.write`."""
        return self._connection.send(data[:BLOCK], socket.MSG_NOSIGNAL)

    def finish(self) -> None:
        """Half-close: conmon then closes the container's standard input, unless it was told to leave it open."""
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # conmon is gone already
                raise


def gather(wires: Wires, take: Callable[[int, bytes], None], *, timeout: float | None = None) -> bool:
    """Hand every piece of output to `take(stream, bytes)` until the end. Returns False where time ran out before it."""
    limit = None if timeout is None else time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for output in wires.outputs:
            selector.register(output.fileno(), selectors.EVENT_READ, output)
        while selector.get_map():
            ready = selector.select(None if limit is None else limit - time.monotonic())
            for key, _ in ready:
                _hand_over(selector, key.data, take)
            if limit is not None and time.monotonic() >= limit:
                return not selector.get_map()
    return True


def _hand_over(selector: selectors.BaseSelector, output: Output, take: Callable[[int, bytes], None]) -> None:
    try:
        piece = output.read()
    except BlockingIOError:
        return
    if piece is None:
        selector.unregister(output.fileno())
    else:
        take(*piece)
