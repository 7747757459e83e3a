"""A watch over a connection: it is shut where less comes in than must.

A socket's own timeout begins anew with every byte, so that a peer who sends one byte a minute holds a reader for ever.
"""

import socket
import threading
from typing import Self

ALL = 2**63
"""As a floor: the window is all the time there is, whatever comes."""


class Guard:
    """While the context lasts, shuts `connection` where fewer than `floor` bytes were noted in a window of seconds."""

    def __init__(self, connection: socket.socket, window: float, floor: int) -> None:
        self._connection = connection
        self._window = window
        self._floor = floor
        self._count = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="registry-guard", daemon=True)
        self.fired = False
        """Whether the connection was shut from here."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def note(self, count: int) -> None:
        """Note that `count` bytes came."""
        self._count += count

    def _watch(self) -> None:
        seen = 0
        while not self._over.wait(self._window):
            count = self._count
            if count - seen < self._floor:
                self.fired = True
                shut(self._connection)
                return
            seen = count


def shut(connection: socket.socket) -> None:
    """End a connection both ways, whoever is reading from it."""
    try:
        # Not the method of ssl.SSLSocket: that one takes the TLS state away from under the reading thread.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
