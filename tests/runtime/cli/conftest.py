"""Running `moor` in a test: as a process of its own, or its `run` in this one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.house.sources import ROOT

Moor = Callable[..., "subprocess.CompletedProcess[str]"]
CODE = "from runtime.cli import main; main()"


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short name, as a unix socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="moor-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def moor(short: Path) -> Moor:
    """Run `moor` to its end, with the socket and the logins of this test's directory."""

    def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", CODE, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=moor_environment(short) | environment,
        )

    return run


def moor_environment(directory: Path) -> dict[str, str]:
    """The environment in which `moor` speaks to the socket in this directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOOR_", "DOCKER_"))}
    return kept | {
        "MOOR_CONFIG": "/dev/null",
        "MOOR_HOST": f"unix://{directory}/engine.sock",
        "DOCKER_CONFIG": str(directory / "config"),
        "PYTHONPATH": str(ROOT),
        "TZ": "UTC",
    }
