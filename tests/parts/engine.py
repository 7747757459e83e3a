"""A real engine daemon of the test's own, in a network namespace of its own, with its data below a directory.

`with start_engine() as engine:` runs `moor daemon` and waits until its socket answers. `engine.docker(...)` is stock
docker against it, `engine.moor(...)` our own. At the end every container is gone, and what they had mounted.
The directory's path is short: a unix socket's may have 107 characters.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.parts.commands import run
from tests.parts.mounts import unmount_below
from tests.parts.netns import Namespace, new_namespace
from tests.parts.tools import require, require_root

READY_WITHIN = 60.0
STOP_WITHIN = 30.0
LOG_TAIL = 6000
NEEDED = ("runc", "conmon", "nft", "ip")


class EngineFailed(AssertionError):
    """The daemon did not start or stop in time, or ended by itself; carries the end of its log."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the daemon's socket."""

    def __init__(self, path: Path, timeout: float = 60.0) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket in place of a host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass
class RunningEngine:
    """One daemon; its socket, data and namespace stay the same over `restart()`."""

    directory: Path
    namespace: Namespace
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The daemon's socket."""
        return self.directory / "run" / "engine.sock"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.directory / "daemon.log"

    @property
    def data(self) -> Path:
        """The daemon's data directory."""
        return self.directory / "data"

    @property
    def settings(self) -> dict[str, str]:
        """The environment that makes the daemon, or `moor`, this one's."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("MOOR_", "DOCKER_"))}
        return {
            **mine,
            "MOOR_CONFIG": "/dev/null",
            "MOOR_DATA": str(self.data),
            "MOOR_RUN": str(self.directory / "run"),
            "MOOR_SOCKET": str(self.socket),
            "MOOR_HOST": f"unix://{self.socket}",
            "HOME": str(self.directory / "home"),
            **self.environment,
        }

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        os.chown(home, self.directory.stat().st_uid, self.directory.stat().st_gid)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.namespace.launcher, str(moor_program()), "daemon"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.settings,
                start_new_session=True,
            )
        limit = time.monotonic() + READY_WITHIN
        while not self.answers():
            if self.process.poll() is not None:
                raise EngineFailed(f"the daemon ended with {self.process.returncode}\n{self.tail()}")
            if time.monotonic() > limit:
                raise EngineFailed(f"the daemon was not ready within {READY_WITHIN:.0f} s\n{self.tail()}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether GET /_ping is 200."""
        try:
            return self.request("GET", "/_ping")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def request(self, method: str, path: str) -> tuple[int, bytes]:
        """One request without a body; its status and the whole answer. Raises OSError, http.client.HTTPException."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def remove_containers(self) -> None:
        """Remove every container, running or not."""
        _, listed = self.request("GET", "/containers/json?all=1")
        for container in json.loads(listed):
            self.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")

    def stop(self) -> int:
        """SIGTERM; containers live on. Returns the exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            status = self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise EngineFailed(f"the daemon did not stop within {STOP_WITHIN:.0f} s\n{self.tail()}") from None
        self.process = None
        return status

    def kill(self) -> None:
        """SIGKILL to the daemon alone, as the kernel does when memory runs out."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def docker(self, *arguments: str | Path, stdin: str = "", patience: float = 120.0) -> str:
        """Run the stock docker command against this daemon, without the user's own logins. Raises CommandFailed."""
        client = (require("docker"), "--config", self.directory / "docker-config", "--host", f"unix://{self.socket}")
        return run(*client, *arguments, stdin=stdin, patience=patience)

    def moor(self, *arguments: str | Path, stdin: str = "", patience: float = 120.0) -> str:
        """Run our own command against this daemon. Raises CommandFailed."""
        return run(moor_program(), *arguments, stdin=stdin, patience=patience, environment=self.settings)

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:] if self.log.exists() else ""


def moor_program() -> Path:
    """The `moor` of the environment that runs the tests."""
    return Path(sys.executable).with_name("moor")


@contextmanager
def start_engine(
    namespace: Namespace | None = None, environment: Mapping[str, str] | None = None, owner: int = 0
) -> Iterator[RunningEngine]:
    """A live engine on empty data; skips where a tool is missing.

    Args: environment: more MOOR_* settings; owner: the user whose the engine is, whom the namespace's launcher becomes.
    """
    require_root()
    for tool in NEEDED:
        require(tool)
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="moor-", dir="/tmp"))  # short, for the sockets' sake
        os.chown(directory, owner, owner)
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        stack.callback(unmount_below, directory)
        place = namespace or stack.enter_context(new_namespace())
        engine = RunningEngine(directory, place, environment or {})
        stack.callback(_end, engine)
        engine.start()
        yield engine


def _end(engine: RunningEngine) -> None:
    """Stop the daemon, then whatever it ran: its supervisors carry the directory's path in their arguments."""
    try:
        if engine.answers():
            engine.remove_containers()
        engine.stop()
    finally:
        engine.kill()
        for pid in _processes_of(engine.directory):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes_of(directory: Path) -> list[int]:
    """conmon processes of this engine, and what they supervise."""
    mine: list[int] = []
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError, ValueError, IndexError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if f"{directory}/".encode() in (entry / "cmdline").read_bytes():
                mine.append(int(entry.name))
    found = set(mine)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})
