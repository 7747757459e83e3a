"""An ordinary user of a machine of the test's own: with ranges of further ids, and a way to the interpreter.

What the user needs of root's is shown to them as it is for everybody elsewhere: the interpreter that runs the tests may
lie in a directory that only root may enter. Nothing of the real machine is changed: all happens in a mount namespace.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.house.sources import ROOT
from tests.parts.commands import start, stop, wait_until
from tests.parts.netns import Namespace
from tests.parts.tools import require, require_root

NAME, UID = "mooruser", 4711
FIRST, COUNT = 300000, 65536

SETUP = """\
set -e
mount --bind {etc} /etc
mount -t tmpfs -o mode=0755 tmpfs {dev}
mknod {dev}/tun c 10 200
chmod 0666 {dev}/tun
mount --bind {dev}/tun /dev/net/tun
{shown}
touch {ready}
exec sleep infinity
"""


@dataclass(frozen=True, slots=True)
class Ordinary(Namespace):
    """The user's side: commands run as the user, in the machine's network namespace."""

    pid: int = 0

    @property
    def path(self) -> Path:
        """The machine's network namespace."""
        return Path(f"/proc/{self.pid}/ns/net")

    @property
    def launcher(self) -> tuple[str, ...]:
        """What stands before a command that the user runs."""
        user = (require("setpriv"), f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--")
        return (require("nsenter"), f"--target={self.pid}", "--mount", "--net", "--wd=/", "--", *user)


@contextmanager
def ordinary_user(directory: Path) -> Iterator[Ordinary]:
    """A user on a machine whose own files are below `directory`, until the end."""
    require_root()
    for tool in ("newuidmap", "slirp4netns"):
        require(tool)
    etc, dev, ready = directory / "etc", directory / "dev", directory / "ready"
    shutil.copytree("/etc", etc, symlinks=True)
    dev.mkdir()
    _append(etc / "passwd", f"{NAME}:x:{UID}:{UID}::{directory}:/bin/sh")
    _append(etc / "group", f"{NAME}:x:{UID}:")
    for file in ("subuid", "subgid"):
        _append(etc / file, f"{NAME}:{FIRST}:{COUNT}")
    script = SETUP.format(etc=etc, dev=dev, ready=ready, shown=_shown(directory))
    unshare = (require("unshare"), "--mount", "--net", "--propagation=private", "--")
    log = directory / "machine.log"
    process = start(*unshare, "sh", "-c", f"{require('ip')} link set lo up\n{script}", log=log)
    try:
        wait_until(ready.exists, "making a machine", log)
        yield Ordinary("ordinary", process.pid)
    finally:
        stop(process)


def _append(file: Path, line: str) -> None:
    with file.open("a") as opened:
        opened.write(f"{line}\n")


def _shown(directory: Path) -> str:
    """What makes the tests' interpreter and checkout visible to everybody, where a directory above hides them."""
    lines: dict[Path, list[Path]] = {}
    for needed in {Path(sys.executable).resolve().parents[1], Path(sys.prefix), ROOT}:
        hidden = next((above for above in reversed(needed.parents) if not above.stat().st_mode & 0o005), None)
        if hidden is not None:
            lines.setdefault(hidden, []).append(needed)
    script = ""
    for hidden, paths in lines.items():
        keeps = {path: directory / f"keep{number}{os.path.basename(hidden)}" for number, path in enumerate(paths)}  # noqa: PTH119
        script += "".join(f"mkdir -p {keep}\nmount --rbind {path} {keep}\n" for path, keep in keeps.items())
        script += f"mount -t tmpfs -o mode=0755 tmpfs {hidden}\n"
        script += "".join(f"mkdir -p {path}\nmount --rbind {keep} {path}\n" for path, keep in keeps.items())
    return script
