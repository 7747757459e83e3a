"""Clients that do what the stock ones never do: hijack a connection and fall silent, vanish, or type at a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.parts.engine import RunningEngine
from tests.parts.tools import require

PATIENCE = 60.0


class Talk:
    """One request over a connection of its own, and what comes after its head."""

    def __init__(
        self, engine: RunningEngine, method: str, path: str, body: Any = None, *, upgrade: bool = True
    ) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(engine.socket))
        data = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: docker", f"Content-Length: {len(data)}"]
        head += ["Content-Type: application/json"] if data else []
        head += ["Connection: Upgrade", "Upgrade: tcp"] if upgrade else []
        self.socket.sendall("\r\n".join([*head, "", ""]).encode() + data)
        self._read = b""
        self.head = self.until(b"\r\n\r\n").decode()

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.head.split()[1])

    def until(self, wanted: bytes) -> bytes:
        """Read up to and with some bytes."""
        while wanted not in self._read:
            data = self.socket.recv(65536)
            assert data, f"the end came before {wanted!r}: {self._read[-300:]!r}"
            self._read += data
        found, _, self._read = self._read.partition(wanted)
        return found + wanted

    def rest(self) -> bytes:
        """Read to the end."""
        pieces, self._read = [self._read], b""
        while data := self.socket.recv(65536):
            pieces.append(data)
        return b"".join(pieces)

    def close(self) -> None:
        """Vanish."""
        self.socket.close()


class Terminal:
    """The stock docker command at a terminal."""

    def __init__(self, engine: RunningEngine, *arguments: str, size: tuple[int, int] = (24, 80)) -> None:
        self._fd, theirs = os.openpty()
        self.resize(*size)
        command = [require("docker"), "--host", f"unix://{engine.socket}", *arguments]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=engine.settings
        )
        os.close(theirs)
        self.text = b""

    def resize(self, height: int, width: int) -> None:
        """Give the terminal another size, as a window that is dragged."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGWINCH)

    def type(self, text: bytes) -> None:
        """Press keys."""
        os.write(self._fd, text)

    def until(self, wanted: bytes) -> None:
        """Wait until something is shown."""
        limit = time.monotonic() + PATIENCE
        while wanted not in self.text:
            assert time.monotonic() < limit, f"{wanted!r} was not shown: {self.text[-500:]!r}"
            if select.select([self._fd], [], [], 0.1)[0]:
                with suppress(OSError):
                    self.text += os.read(self._fd, 65536)

    def ends(self) -> int:
        """Wait for the command's end, reading on; its status."""
        limit = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < limit, f"docker did not end: {self.text[-500:]!r}"
            if select.select([self._fd], [], [], 0.05)[0]:
                with suppress(OSError):
                    self.text += os.read(self._fd, 65536)
        return self.process.returncode

    def close(self) -> None:
        """End whatever is left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._fd)


@contextmanager
def at_terminal(engine: RunningEngine, *arguments: str, size: tuple[int, int] = (24, 80)) -> Iterator[Terminal]:
    """Docker at a terminal, ended in the end."""
    terminal = Terminal(engine, *arguments, size=size)
    try:
        yield terminal
    finally:
        terminal.close()


def poll(holds: Callable[[], bool], what: str = "it did not come to hold") -> None:
    """Return once `holds()`."""
    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit, what
        time.sleep(0.02)


def descriptors(engine: RunningEngine) -> int:
    """How many descriptors the daemon has open."""
    assert engine.process is not None
    return len(list(Path(f"/proc/{engine.process.pid}/fd").iterdir()))


def memory(engine: RunningEngine) -> int:
    """Bytes of memory that the daemon has."""
    assert engine.process is not None
    lines = Path(f"/proc/{engine.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def unframed(data: bytes) -> dict[int, bytes]:
    """A multiplexed stream's bytes by stream."""
    found: dict[int, bytes] = {}
    while data:
        stream, size = struct.unpack(">BxxxL", data[:8])
        found[stream] = found.get(stream, b"") + data[8 : 8 + size]
        data = data[8 + size :]
    return found
