"""The user's terminal while a container has it: raw mode that is always given back, its size, and the keys that let go.

Source: termios(3), tty_ioctl(4), moby/term (ascii.go for the names of keys, proxy.go for how they are found).
"""

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.cli.options import Failure

DETACH_KEYS = "ctrl-p,ctrl-q"

_CONTROL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


class Detached(Exception):
    """The user pressed the keys that leave a container running."""


def check_tty(*, stdin: bool, tty: bool) -> None:
    """Refuse a pseudo-terminal where standard input is none. Raises: Failure with Docker's sentence."""
    if stdin and tty and not sys.stdin.isatty():
        raise Failure("the input device is not a TTY")


def size() -> tuple[int, int] | None:
    """Rows and columns of the terminal that is written to; None where there is none."""
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return None
    return rows, columns


@contextmanager
def raw(fd: int) -> Iterator[None]:
    """Every key goes through as it is until the block ends, however it ends; nothing where `fd` is no terminal."""
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSANOW)  # what was typed ahead is for the container
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def keys(text: str) -> bytes:
    """The bytes of a sequence such as `ctrl-p,ctrl-q` or `a`. Raises: Failure."""
    found = bytearray()
    for key in (text or DETACH_KEYS).split(","):
        letter = key.removeprefix("ctrl-")
        if len(key) == 1 and key.isascii():
            found += key.encode()
        elif key.startswith("ctrl-") and len(letter) == 1 and letter.lower() in _CONTROL:
            found.append(_CONTROL[letter])
        elif key.startswith("ctrl-") and len(letter) == 1 and letter.isascii() and letter.isalpha():
            found.append(ord(letter.lower()) - ord("a") + 1)
        else:
            raise Failure(f"invalid detach keys ({text}): Unknown character: '{key}'")
    return bytes(found)


class DetachKeys:
    """Watches what is typed for the keys that let go; holds back what may be their beginning."""

    def __init__(self, sequence: bytes) -> None:
        self._sequence = sequence
        self._held = b""

    def through(self, typed: bytes) -> bytes:
        """What may be passed on. Raises: Detached when the sequence is complete."""
        passed = bytearray()
        for byte in typed:
            self._held += bytes([byte])
            while self._held and not self._sequence.startswith(self._held):
                passed.append(self._held[0])
                self._held = self._held[1:]
            if self._held == self._sequence:
                raise Detached
        return bytes(passed)
