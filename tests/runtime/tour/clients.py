"""The two command lines of the tour, under one roof: run to the end, or on a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.engine import RunningEngine
from tests.parts.tools import require
from tests.runtime.cli.terminals import Terminal, on_terminal

PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Client:
    """`moor` or `docker`, with the engine's socket and logins of its own."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    def __call__(self, *words: str | Path, stdin: str = "") -> Done:
        """Run to the end, whatever that is."""
        command = [*self.command, *map(str, words)]
        ended = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False, env=self.environment
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def ok(self, *words: str | Path, stdin: str = "") -> str:
        """Run to a good end; returns what was printed, without the last newline."""
        done = self(*words, stdin=stdin)
        assert done.status == 0, f"{self.name} {' '.join(map(str, words))}: {done.status}\n{done.out}{done.err}"
        return done.out.strip()

    def refused(self, *words: str | Path, status: int = 1) -> str:
        """Run to that bad end; returns what was said."""
        done = self(*words)
        assert done.status == status, f"{self.name} {' '.join(map(str, words))}: {done.status}\n{done.out}{done.err}"
        return done.err + done.out

    @contextmanager
    def terminal(self, *words: str) -> Iterator[Terminal]:
        """Run on a terminal."""
        with on_terminal([*self.command, *words], {**self.environment, "TERM": "xterm"}) as terminal:
            yield terminal


def client_of(name: str, engine: RunningEngine, config: Path) -> Client:
    """`moor` or `docker` against an engine, with its logins in a directory."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MOOR_", "DOCKER_"))}
    host = f"unix://{engine.socket}"
    if name == "docker":
        environment = {**kept, "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": str(config), "DOCKER_HOST": host}
        return Client(name, (require("docker"),), environment)
    environment = {**kept, "MOOR_CONFIG": "/dev/null", "DOCKER_CONFIG": str(config), "MOOR_HOST": host}
    return Client(name, (str(Path(sys.executable).with_name("moor")),), environment)
