"""Starts the daemon where none runs: in the background, as root or as the user whose own engine it is.

The daemon leads a session of its own, logs beside its socket, and goes on after this command.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.cli.client import Client, Unreachable
from runtime.cli.options import Failure
from runtime.config import Settings

WITHIN = 20.0
PAUSE = 0.02
_TAIL = 2000


def start_daemon(settings: Settings) -> None:
    """Start `moor daemon` and wait until it answers. Raises: Failure with what it said, Unreachable for who may not."""
    if os.geteuid() != 0 and settings.socket.is_relative_to("/run/moorage"):
        raise Unreachable(f"no engine runs at unix://{settings.socket}; root starts it: sudo moor daemon")
    try:
        settings.run.mkdir(mode=0o711, parents=True, exist_ok=True)
        with _turn(settings.run / "starting"):
            if not _answers(settings):  # whoever had the turn before has not started it either
                _start(settings, settings.run / "daemon.log")
    except OSError as error:
        raise Failure(f"the engine could not be started: {error}") from error


@contextmanager
def _turn(lock: Path) -> Iterator[None]:
    """One command at a time: many that find no daemon at once start one, and not each its own."""
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _start(settings: Settings, log: Path) -> None:
    # -P: the daemon must never import what lies in the directory that a user happens to stand in.
    command = [sys.executable, "-P", "-c", "from runtime.cli import main; main()", "daemon"]
    with log.open("ab") as said:
        before = said.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, cwd="/"
        )
    limit = time.monotonic() + WITHIN
    while not _answers(settings):
        if process.poll() is not None:
            raise Failure(f"the engine could not be started:\n{_said(log, before)}")
        if time.monotonic() > limit:
            raise Failure(f"the engine did not answer within {WITHIN:.0f} s; {log} says what it does")
        time.sleep(PAUSE)


def _answers(settings: Settings) -> bool:
    try:
        return bool(Client(str(settings.socket)).version)
    except Unreachable:
        return False


def _said(log: Path, since: int) -> str:
    """What was written to the log after its first `since` bytes, the end of it."""
    with log.open("rb") as file:
        file.seek(since)
        text = file.read().decode("utf-8", "replace")
    return text[-_TAIL:].strip() or "it said nothing"
