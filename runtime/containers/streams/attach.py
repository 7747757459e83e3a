"""Clients at containers' streams: who waits for a start, who is connected, and how large the terminal is.

conmon keeps a container's streams and serves them on a socket, `attach` in its bundle, with a FIFO `ctl` beside it; no
byte is lost when we connect between `runc create` and `runc start`. Source: conmon's src/conn_sock.c and src/ctrl.c.
conmon waits for whoever is connected, and so does the container: a client that stops reading holds up its output.
"""

import os
import socket
import struct
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runtime.containers.streams.wires import Packets, Wires
from runtime.errors import Conflict, EngineError

_CONNECT_WITHIN = 10
_RESIZE = 1


class HungUp(EngineError):
    """The container ended, or failed to start, before a client got its streams."""


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """A client's place at a container's streams. `connected`: done once the container is there; HungUp otherwise."""

    container_id: str
    sends_input: bool
    parks: bool
    connected: Future[Wires] = field(default_factory=Future)

    def wires(self, timeout: float | None = None) -> Wires:
        """Wait for the streams. Raises: HungUp; TimeoutError."""
        return self.connected.result(timeout)


@dataclass(slots=True)
class _Line:
    """What is known of one container: where conmon listens, who waits, a size asked for before."""

    socket_path: Path | None = None
    pid: int | None = None
    waiting: list[Attachment] = field(default_factory=list)
    parked: list[socket.socket] = field(default_factory=list)
    size: tuple[int, int] | None = None


class Attachments:
    """Every container's line, by id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    def expect(self, container_id: str, *, sends_input: bool = False, parks: bool = False) -> Attachment:
        """Take a place: connected at once where the container runs, else as soon as it is dialled.

        `parks`: the container's input ends with the first client (StdinOnce, no terminal). conmon closes it when any
        client goes, so the connection of one that only listened is kept, unread, until the container ends.
        """
        attachment = Attachment(container_id, sends_input, parks and not sends_input)
        self.enter(attachment)
        return attachment

    def enter(self, attachment: Attachment) -> None:
        """Take the place that an attachment describes, as `expect`; for who must be sure to leave it."""
        with self._lock:
            line = self._lines.setdefault(attachment.container_id, _Line())
            socket_path, pid = line.socket_path, line.pid
            if socket_path is None:
                line.waiting.append(attachment)
                return
        with suppress(EngineError):
            self._connect(socket_path, pid, attachment)

    def dial(self, container_id: str, socket_path: Path, pid: int | None = None) -> None:
        """Connect all who wait, and from now on whoever comes; called between `runc create` and `runc start`.

        Called too for every container that runs when the daemon starts. `pid`: the container's first process; with it,
        a client that reads slowly does not hold up conmon once that process has ended.
        Raises: EngineError where conmon does not answer; those who waited are hung up.
        """
        with self._lock:
            line = self._lines.setdefault(container_id, _Line())
            line.socket_path, line.pid = socket_path, pid
            waiting, line.waiting = line.waiting, []
            size, line.size = line.size, None
        while waiting:
            try:
                self._connect(socket_path, pid, waiting.pop(0))
            except EngineError:
                _hang_up(_Line(waiting=waiting))
                raise
        if size is not None:
            self.resize(container_id, *size)

    def hang_up(self, container_id: str) -> None:
        """Forget a container that ended or failed to start: who waits gets HungUp, the others read on."""
        with self._lock:
            line = self._lines.pop(container_id, _Line())
        _hang_up(line)

    def leave(self, attachment: Attachment) -> None:
        """Give up a place; harmless at any time."""
        with self._lock:
            line = self._lines.get(attachment.container_id, _Line())
            if attachment in line.waiting:
                line.waiting.remove(attachment)
                if line == _Line():
                    self._lines.pop(attachment.container_id, None)
        if not attachment.connected.cancel():
            with suppress(HungUp):
                attachment.connected.result().close()

    def resize(self, container_id: str, height: int, width: int) -> None:
        """Set the terminal's size, in characters; before the container is dialled, it is kept for then.

        Raises: Conflict where the container is not there any more.
        """
        with self._lock:
            line = self._lines.setdefault(container_id, _Line())
            if line.socket_path is None:
                line.size = (height, width)
                return
            control = line.socket_path.with_name("ctl")
        try:
            fd = os.open(control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # no FIFO, or nobody reads it
            raise Conflict(f"container {container_id} is not running") from None
        try:
            os.write(fd, b"%d %d %d\n" % (_RESIZE, height, width))
        except BlockingIOError:
            raise EngineError("the container's supervisor does not take a new size") from None
        finally:
            os.close(fd)

    def _connect(self, socket_path: Path, pid: int | None, attachment: Attachment) -> None:
        """Connect one client. Raises: EngineError where conmon does not answer; the client then gets HungUp.

        Without the lock: a conmon that is held up by another client may keep us waiting, and must keep nobody else.
        """
        if not attachment.connected.set_running_or_notify_cancel():
            return
        try:
            wires = self._wires(socket_path, pid, attachment)
        except OSError as error:
            attachment.connected.set_exception(_hung_up(attachment))
            raise EngineError(f"the container's supervisor does not answer: {error.strerror}") from error
        attachment.connected.set_result(wires)

    def _wires(self, socket_path: Path, pid: int | None, attachment: Attachment) -> Wires:
        connection = _connection(socket_path)
        gone = _watch(pid)
        packets = Packets(connection)

        def close() -> None:
            if gone is not None:
                os.close(gone)
            if not (attachment.parks and self._park(attachment.container_id, connection)):
                connection.close()

        return Wires((packets,), packets if attachment.sends_input else None, gone, close)

    def _park(self, container_id: str, connection: socket.socket) -> bool:
        """Keep a connection of which nothing is read any more: conmon's writes to it fail at once."""
        with self._lock:
            line = self._lines.get(container_id)
            if line is None or line.socket_path is None:
                return False
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
            line.parked.append(connection)
            return True


def _hang_up(line: _Line) -> None:
    for connection in line.parked:
        connection.close()
    for attachment in line.waiting:
        if attachment.connected.set_running_or_notify_cancel():
            attachment.connected.set_exception(_hung_up(attachment))


def _hung_up(attachment: Attachment) -> HungUp:
    return HungUp(f"container {attachment.container_id} is not running")


def _connection(path: Path) -> socket.socket:
    """Connect to conmon; by its directory's descriptor, for a socket's path has at most 107 characters."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        # Python's own timeout would make the socket non-blocking, and a queue that is full an error at once
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _CONNECT_WITHIN, 0))
        connection.connect(f"/proc/self/fd/{directory}/{path.name}")
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(directory)
    return connection


def _watch(pid: int | None) -> int | None:
    """Open a pidfd; None for a process that is not known, or gone already (conmon then ends by itself)."""
    with suppress(ProcessLookupError):
        return None if pid is None else os.pidfd_open(pid)
    return None
