"""Containers without an engine: an OCI bundle of Debian's static busybox, made by hand, under a real conmon and runc.

For what works on conmon's files and sockets. A bundle has no network, and the devices that runc makes by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.parts.commands import run
from tests.parts.tools import require, require_root

PATIENCE = 60.0
APPLETS = (
    *("sh", "cat", "echo", "sleep", "true", "false", "id", "env", "stty", "tty", "head", "tail", "dd", "md5sum", "wc"),
    *("kill", "trap", "ls", "ln", "mkdir", "mkfifo", "mknod", "mv", "rm", "touch", "seq", "printf", "yes", "pwd", "ps"),
)
_CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_MKNOD"]


@dataclass(frozen=True)
class Bundle:
    """One container: its bundle directory, where conmon has its socket, and runc's own directory of state."""

    id: str
    directory: Path
    runtime_root: Path
    terminal: bool

    @property
    def attach_socket(self) -> Path:
        """Where conmon serves the streams."""
        return self.directory / "attach"

    @property
    def log(self) -> Path:
        """conmon's log, in CRI's format."""
        return self.directory / "ctr.log"

    @property
    def rootfs(self) -> Path:
        """The container's root."""
        return self.directory / "rootfs"

    @property
    def pid(self) -> int:
        """The container's first process, in our numbers."""
        return int((self.directory / "pid").read_text())

    def conmon(self, *options: str) -> None:
        """`runc create` under a new conmon: then the streams are there, and nothing runs yet."""
        sync_read, sync_write = os.pipe()
        start_read, start_write = os.pipe()
        command = [
            *(require("conmon"), "--api-version", "1", "-c", self.id, "-u", self.id, "-r", require("runc")),
            *("-b", str(self.directory), "-p", str(self.directory / "pid"), "-P", str(self.directory / "conmon.pid")),
            *("-l", f"k8s-file:{self.log}", "--exit-dir", str(self.directory / "exits"), "--full-attach"),
            *("--runtime-arg", "--root", "--runtime-arg", str(self.runtime_root)),
            *(("-t",) if self.terminal else ()),
            *options,
        ]
        environment = {**os.environ, "_OCI_SYNCPIPE": str(sync_write), "_OCI_STARTPIPE": str(start_read), "TZ": "UTC"}
        process = subprocess.Popen(
            command, env=environment, pass_fds=(sync_write, start_read), stdin=subprocess.DEVNULL, text=True
        )
        os.close(sync_write)
        os.close(start_read)
        os.write(start_write, b"\0")
        os.close(start_write)
        with os.fdopen(sync_read) as answers:
            answer = json.loads(answers.readline() or '{"data": -1, "message": "conmon said nothing"}')
        process.wait(PATIENCE)
        if answer["data"] < 0:
            raise AssertionError(f"conmon: {answer}")

    def start(self) -> None:
        """Run what the container is for."""
        run(require("runc"), "--root", self.runtime_root, "start", self.id)

    def kill(self, signal: str = "KILL") -> None:
        """Send its first process a signal."""
        run(require("runc"), "--root", self.runtime_root, "kill", self.id, signal)

    def exit_code(self) -> int:
        """Wait for the end; the first process's exit code, as conmon wrote it."""
        file = self.directory / "exits" / self.id
        limit = time.monotonic() + PATIENCE
        while not file.exists() or not (text := file.read_text()):
            if time.monotonic() > limit:
                raise AssertionError(f"{self.id} did not end within {PATIENCE:.0f} s")
            time.sleep(0.01)
        return int(text)

    def remove(self) -> None:
        """End it and its conmon, whatever state they are in."""
        subprocess.run(
            [require("runc"), "--root", str(self.runtime_root), "delete", "--force", self.id],
            capture_output=True,
            check=False,
        )
        with suppress(OSError, ValueError):
            supervisor = int((self.directory / "conmon.pid").read_text())
            limit = time.monotonic() + PATIENCE
            while _lives(supervisor) and time.monotonic() < limit:
                time.sleep(0.01)


@contextmanager
def new_bundle(*command: str, terminal: bool = False, process: Mapping[str, Any] | None = None) -> Iterator[Bundle]:
    """A bundle that runs `command`; not created yet. `process`: more of the spec's `process`."""
    require_root()
    directory = Path(tempfile.mkdtemp(prefix="bundle-", dir="/tmp"))
    bundle = Bundle(directory.name, directory, directory / "oci", terminal)
    try:
        _root(bundle.rootfs)
        bundle.directory.joinpath("config.json").write_text(json.dumps(_spec(command, terminal, process or {})))
        bundle.directory.joinpath("exits").mkdir()
        yield bundle
    finally:
        bundle.remove()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running(*command: str, terminal: bool = False, options: Sequence[str] = ()) -> Iterator[Bundle]:
    """A container that runs."""
    with new_bundle(*command, terminal=terminal) as bundle:
        bundle.conmon(*options)
        bundle.start()
        yield bundle


def _lives(pid: int) -> bool:
    """Whether a process runs: one that its parent has not asked for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _root(root: Path) -> None:
    for name in ("bin", "proc", "dev", "sys", "tmp", "etc"):
        root.joinpath(name).mkdir(parents=True)
    shutil.copy(require("busybox"), root / "bin" / "busybox")
    for applet in APPLETS:
        root.joinpath("bin", applet).symlink_to("busybox")
    root.joinpath("etc", "passwd").write_text("root:x:0:0::/root:/bin/sh\nworker:x:1000:1000::/tmp:/bin/sh\n")
    root.joinpath("etc", "group").write_text("root:x:0:\nworker:x:1000:\ntools:x:2000:worker\n")


def _spec(command: Sequence[str], terminal: bool, process: Mapping[str, Any]) -> dict[str, Any]:
    sets = ("bounding", "effective", "permitted")
    return {
        "ociVersion": "1.0.2",
        "hostname": "bundle",
        "root": {"path": "rootfs"},
        "process": {
            "terminal": terminal,
            "user": {"uid": 0, "gid": 0},
            "args": list(command),
            "env": ["PATH=/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {name: _CAPABILITIES for name in sets},
            "noNewPrivileges": True,
            **process,
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            },
        ],
        "linux": {"namespaces": [{"type": name} for name in ("pid", "mount", "ipc", "uts", "network")]},
    }
