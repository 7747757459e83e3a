"""Runs outside programs: to their end with `run`, or beside the test with `start` and `stop`.

A failure carries the whole command and what it said, so that a red test can be repeated by hand.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PATIENCE = 300.0  # seconds that one command may take, unless told otherwise


class CommandFailed(AssertionError):
    """A program ended with a status other than 0; `said` is what it printed."""

    def __init__(self, command: Sequence[str], status: int, said: str) -> None:
        super().__init__(f"exit {status}: {shlex.join(command)}\n{said}")
        self.said = said


def run(
    *command: str | Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    patience: float = PATIENCE,
    stdin: str = "",
) -> str:
    """Run to the end and return standard output, without the last newline; raises CommandFailed."""
    words = [str(word) for word in command]
    ended = subprocess.run(
        words,
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        timeout=patience,
        check=False,
    )
    if ended.returncode != 0:
        raise CommandFailed(words, ended.returncode, ended.stdout + ended.stderr)
    return ended.stdout.strip()


def start(*command: str | Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a daemon in a process group of its own, with its output in `log`."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def wait_until(holds: Callable[[], bool], what: str, log: Path, within: float = 60.0) -> None:
    """Return once `holds()`; otherwise fail with the end of the log."""
    limit = time.monotonic() + within
    while not holds():
        if time.monotonic() > limit:
            raise AssertionError(f"{what} took more than {within:.0f} s\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)


def succeeds(*command: str | Path) -> bool:
    """Whether the command ends with 0; for asking a daemon whether it is there yet."""
    try:
        run(*command)
    except CommandFailed:
        return False
    return True


def stop(process: subprocess.Popen[bytes], within: float = 30.0) -> None:
    """SIGTERM, then SIGKILL when that is not enough."""
    process.terminate()
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
