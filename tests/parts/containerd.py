"""A containerd of the test's own, with its state, socket and snapshots in one directory, and `ctr` to drive it.

It knows nothing of the registry that images come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.commands import run, start, stop, succeeds, wait_until
from tests.parts.mounts import unmount_below
from tests.parts.tools import require, require_root

CONFIG = """\
version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{directory}/containerd.sock"
"""


@dataclass(frozen=True, slots=True)
class Containerd:
    """A live daemon."""

    ctr: str
    socket: Path
    launcher: tuple[str, ...] = ()

    def __call__(self, *arguments: str | Path) -> str:
        """Run `ctr` in the tests' namespace."""
        return run(*self.launcher, self.ctr, "--address", self.socket, "--namespace", "moorage", *arguments)

    def digests(self) -> dict[str, str]:
        """The images the daemon holds: reference -> digest."""
        rows = [line.split() for line in self("images", "list").splitlines()[1:]]
        return {row[0]: row[2] for row in rows}


@contextmanager
def start_containerd(directory: Path) -> Iterator[Containerd]:
    """A containerd on `directory`, whose path must be short: a socket's name has 107 bytes at most."""
    require_root()
    daemon, ctr = require("containerd"), require("ctr")
    config, log, socket = directory / "config.toml", directory / "log", directory / "containerd.sock"
    config.write_text(CONFIG.format(directory=directory))
    process = start(daemon, "--config", config, log=log)
    try:
        wait_until(lambda: succeeds(ctr, "--address", socket, "version"), "starting containerd", log)
        yield Containerd(ctr, socket)
    finally:
        stop(process)
        unmount_below(directory)
