"""Runs `runc exec` as the engine's child: its streams, its start and its end. Knows nothing of ids or clients.

runc stays in the foreground and ends with the process's own status. It writes its pid file once the process has begun:
a runc that ends without one has failed. A terminal is a pair of ours: runc passes every byte on to its own.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import threading
import tty
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.containers.streams.exec_process import Command, failure
from runtime.containers.streams.inotify import Watch
from runtime.containers.streams.wires import STDERR, STDOUT, Pipe, Terminal, Wires, gather
from runtime.errors import EngineError

START_WITHIN = 60.0
_KILLED_BY_SIGNAL = 128


@dataclass(frozen=True, slots=True)
class Ends:
    """Both sides of a process's streams: the child's three descriptors, and ours."""

    child: tuple[int, int, int]
    outputs: tuple[Pipe | Terminal, ...]
    input: Pipe | Terminal | None
    terminal: Terminal | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """A process that has begun. `pid`: in our own numbers; `runc`: who waits for it."""

    pid: int
    runc: subprocess.Popen[bytes]
    wires: Wires
    terminal: Terminal | None

    def wait(self) -> int:
        """Wait for the end; the process's status, 128 and the signal's number where one ended it."""
        status = self.runc.wait()
        return status if status >= 0 else _KILLED_BY_SIGNAL - status

    def resize(self, height: int, width: int) -> None:
        """Set the terminal's size; runc passes it on. Nothing where the process has ended or has no terminal."""
        if self.terminal is not None:
            self.terminal.resize(height, width)
            self.runc.send_signal(signal.SIGWINCH)

    def kill(self) -> None:
        """End the process (runc alone would leave it)."""
        if self.runc.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def drain(self) -> None:
        """Go on reading, in a thread, what nobody wants any more: the process must not wait for a client that left."""

        def read_on() -> None:
            gather(self.wires, lambda _stream, _data: None)
            self.wires.close()

        threading.Thread(target=read_on, name=f"drain-{self.pid}", daemon=True).start()


def start(runc: Sequence[str], container_id: str, process: Mapping[str, Any], command: Command, room: Path) -> Process:
    """Start a process in a running container and wait until it has begun.

    Args: runc: its path and global options (`--root`); room: a directory for this alone, made here, gone afterwards.
    Raises: ExecFailed; Conflict where the container has ended; EngineError when runc comes to no decision in time.
    Nothing is left over then.
    """
    with ExitStack() as undo:
        room.mkdir(mode=0o700, parents=True)
        undo.callback(shutil.rmtree, room, ignore_errors=True)
        room.joinpath("process.json").write_text(json.dumps(process))
        with ExitStack() as given:
            ends = _ends(command, undo, given)
            child = _spawn(runc, container_id, room, ends)
        undo.callback(_end, child)
        gone = os.pidfd_open(child.pid)
        undo.callback(os.close, gone)
        pid = _begun(child, gone, room, container_id)
        undo.pop_all()
    shutil.rmtree(room, ignore_errors=True)

    watches = [gone]

    def close() -> None:
        for end in (*ends.outputs, *((ends.input,) if ends.input else ())):
            end.close()
        while watches:
            os.close(watches.pop())

    return Process(pid, child, Wires(ends.outputs, ends.input, gone, close), ends.terminal)


def _spawn(runc: Sequence[str], container_id: str, room: Path, ends: Ends) -> subprocess.Popen[bytes]:
    command = [
        *(*runc, "--log", str(room / "log"), "--log-format", "json", "exec"),
        *("--process", str(room / "process.json"), "--pid-file", str(room / "pid"), container_id),
    ]
    stdin, stdout, stderr = ends.child
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True)


def _begun(child: subprocess.Popen[bytes], gone: int, room: Path, container_id: str) -> int:
    """Wait until the process has begun; its pid. Raises: ExecFailed, Conflict, EngineError."""
    file = room / "pid"
    watch = Watch(room)
    try:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        poll.register(gone, select.POLLIN)
        while not (text := file.read_text() if file.exists() else ""):
            if child.poll() is not None:
                log = room / "log"
                raise failure(log.read_text(errors="replace") if log.exists() else "", container_id)
            if not poll.poll(START_WITHIN * 1000):
                raise EngineError(f"runc exec did not start the process within {START_WITHIN:.0f} s")
            watch.clear()
        return int(text)
    finally:
        watch.close()


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def _ends(command: Command, undo: ExitStack, given: ExitStack) -> Ends:
    """Make the streams. `given` closes the child's side, once it has it; `undo` ours, if there is no child."""
    if command.terminal:
        return _terminal_ends(command, undo, given)
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    given.callback(os.close, nothing)
    target: Pipe | None = None
    child = [nothing, nothing, nothing]
    outputs: list[Pipe] = []
    if command.stdin:
        child[0], write = _pipe(reader=given, writer=undo)
        target = Pipe(write)
    for stream, wanted in ((STDOUT, command.stdout), (STDERR, command.stderr)):
        if wanted:
            read, child[stream] = _pipe(reader=undo, writer=given)
            outputs.append(Pipe(read, stream))
    return Ends((child[0], child[1], child[2]), tuple(outputs), target)


def _pipe(*, reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """Make a pipe: its reading and its writing end, each closed by its own stack."""
    read, write = os.pipe()
    reader.callback(os.close, read)
    writer.callback(os.close, write)
    return read, write


def _terminal_ends(command: Command, undo: ExitStack, given: ExitStack) -> Ends:
    ours, child = os.openpty()
    given.callback(os.close, child)
    undo.callback(os.close, ours)
    tty.setraw(child)  # the container's own terminal echoes and edits: this one must not, also before runc says so
    side = Terminal(ours)
    if command.size:
        side.resize(*command.size)
    return Ends((child, child, child), (side,), side if command.stdin else None, side)
