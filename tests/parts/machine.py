"""A machine of its own, as far as clients can tell: its own /etc, its own network, and a host named registry.example.

Guides say which file goes where; there a test can do just that and leave the real machine as it was. Docker trusts
every loopback address, so the host's address is none. Programs and all other files are the real machine's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.commands import run, start, stop, wait_until
from tests.parts.tools import require, require_root

NAME, ADDRESS = "registry.example", "192.0.2.1"
OWN = ("/etc", "/usr/local/share/ca-certificates")
SETUP = """\
set -e
ip link set lo up
ip address add {address}/32 dev lo
{mounts}
echo '{address} {name}' >> /etc/hosts
touch {directory}/ready
exec sleep infinity
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A live machine. `launcher` stands before a command that is to run there, as root."""

    pid: int
    directory: Path

    @property
    def launcher(self) -> tuple[str, ...]:
        """What enters the machine."""
        return (require("nsenter"), f"--target={self.pid}", "--mount", "--net", "--wd=/", "--")

    def __call__(self, *command: str | Path, environment: Mapping[str, str] | None = None, stdin: str = "") -> str:
        """Run a command there, in the directory /."""
        return run(*self.launcher, *command, environment=environment, stdin=stdin)

    def write(self, path: str, content: str) -> None:
        """Write a file there, below a directory that is the machine's own."""
        inside = next(own for own in OWN if path.startswith(f"{own}/"))
        file = own_copy(self.directory, inside) / path.removeprefix(f"{inside}/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


@contextmanager
def start_machine(directory: Path) -> Iterator[Machine]:
    """A machine whose own files are below `directory`, until the end."""
    require_root()
    mounts = []
    for own in OWN:
        copy = own_copy(directory, own)
        shutil.copytree(own, copy, symlinks=True) if Path(own).is_dir() else copy.mkdir(parents=True)
        mounts.append(f"mkdir -p {own} && mount --bind {copy} {own}")
    script = SETUP.format(address=ADDRESS, name=NAME, mounts="\n".join(mounts), directory=directory)
    require("ip")
    unshare = (require("unshare"), "--mount", "--net", "--propagation=private", "--")
    log = directory / "machine.log"
    process = start(*unshare, "sh", "-c", script, log=log)
    try:
        wait_until((directory / "ready").exists, "making a machine", log)
        yield Machine(process.pid, directory)
    finally:
        stop(process)


def own_copy(directory: Path, own: str) -> Path:
    """Where the machine's copy of one of its own directories is."""
    return directory / own.strip("/").replace("/", "-")
