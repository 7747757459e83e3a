"""A small TCP proxy that stands between a server and its database, and breaks what passes.

It knows two words: COMMIT, so that it can lose one on the way there, or the answer to one that has happened, and the
setting by which a transaction of ours that may write begins, for the others have nothing to lose.

`with Proxy(port) as proxy:` listens on `proxy.port`.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType

HOST = "127.0.0.1"
COMMIT, WRITES = b"COMMIT", b"lock_timeout"
BLOCK = 1 << 16


class Loss(Enum):
    """Which part of a COMMIT is lost, with the connection."""

    QUESTION = "the database never hears of it"
    ANSWER = "it has happened, and nobody is told"


@dataclass(eq=False, slots=True)
class Pair:
    """One connection: the two sockets, whether its transaction may write, and whether the next answer is kept back."""

    client: socket.socket
    database: socket.socket
    writes: bool = False
    silent: bool = False

    def close(self) -> None:
        """Cut the connection, for both."""
        for end in (self.client, self.database):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@dataclass(slots=True)
class Proxy:
    """Passes connections on to a port of this machine until it is told to break them.

    While `down`, it ends new ones; while `mute`, it takes all that clients say, passes nothing on and answers nothing.
    """

    target: int
    port: int = 0
    down: bool = False
    mute: bool = False
    cuts: int = 0
    losses: int = 0
    _losing: list[Loss] = field(default_factory=list)
    _pairs: set[Pair] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listener: socket.socket = field(default_factory=socket.socket)

    def cut(self) -> None:
        """Cut every connection that there is now."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
            self.cuts += len(pairs)
        for pair in pairs:
            pair.close()

    def lose(self, *losses: Loss) -> None:
        """Lose the next COMMITs in these ways, one each."""
        with self._lock:
            self._losing.extend(losses)

    def __enter__(self) -> Proxy:
        self._listener.bind((HOST, 0))
        self._listener.listen(100)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.down:
                client.close()
                continue
            database = socket.create_connection((HOST, self.target))
            pair = Pair(client, database)
            with self._lock:
                self._pairs.add(pair)
            for pump in (self._ask, self._answer):
                threading.Thread(target=pump, args=(pair,), daemon=True).start()

    def _ask(self, pair: Pair) -> None:
        """Carry what the client says."""
        while block := _received(pair.client):
            pair.writes |= WRITES in block
            loss = self._loss() if pair.writes and COMMIT in block else None
            pair.writes &= COMMIT not in block
            if loss is Loss.QUESTION:
                break
            pair.silent = loss is Loss.ANSWER
            if self.mute:
                continue
            with suppress(OSError):
                pair.database.sendall(block)
        self._end(pair)

    def _answer(self, pair: Pair) -> None:
        """Carry what the database says."""
        while block := _received(pair.database):
            if pair.silent:
                break
            with suppress(OSError):
                pair.client.sendall(block)
        self._end(pair)

    def _loss(self) -> Loss | None:
        with self._lock:
            self.losses += bool(self._losing)
            return self._losing.pop(0) if self._losing else None

    def _end(self, pair: Pair) -> None:
        with self._lock:
            self._pairs.discard(pair)
        pair.close()


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(BLOCK)
    except OSError:
        return b""
