"""Starts the daemon where none runs: in the background, as root or as the user whose own engine it is.

The daemon leads a session of its own, logs beside its socket, and goes on after this command.
"""

import os
import subprocess
import sys
import time
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
    log = _log(settings)
    before = log.stat().st_size if log.exists() else 0
    # -P: the daemon must never import what lies in the directory that a user happens to stand in.
    command = [sys.executable, "-P", "-c", "from runtime.cli import main; main()", "daemon"]
    try:
        with log.open("ab") as said:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, cwd="/"
            )
    except OSError as error:
        raise Failure(f"the engine could not be started: {error}") from error
    limit = time.monotonic() + WITHIN
    while not _answers(settings):
        if process.poll() is not None:
            raise Failure(f"the engine could not be started:\n{_said(log, before)}")
        if time.monotonic() > limit:
            raise Failure(f"the engine did not answer within {WITHIN:.0f} s; {log} says what it does")
        time.sleep(PAUSE)


def _log(settings: Settings) -> Path:
    try:
        settings.run.mkdir(mode=0o711, parents=True, exist_ok=True)
        return settings.run / "daemon.log"
    except OSError as error:
        raise Failure(f"the engine could not be started: {error}") from error


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
