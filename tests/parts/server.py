"""Starts a real Moorage, the way a user does, and stops, kills and measures it.

`with start_moorage(tmp_path / "data") as server:` runs `moorage serve --open` on a free loopback port in a process
group of its own, waits for /readyz, and shows the log's end when that does not come. With `accounts=True` it runs
without --open, and `admin` signs in with ADMIN_PASSWORD. It knows the command line and
/proc, and nothing of what is inside the server.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Engine = Literal["uvicorn", "granian"]

READY_WITHIN = 30.0  # seconds; generous, because a loaded CI machine is not what these tests measure
STOP_WITHIN = 60.0
LOG_TAIL = 6000
ADMIN_PASSWORD = "mooring-lines-and-bollards"


class ServerFailed(RuntimeError):
    """The server did not start or stop in time, or ended by itself; carries the end of its log."""


def free_port() -> int:
    """A port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether something takes connections on that port, whatever it speaks."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class RunningServer:
    """One server's process group; `url` and `host` stay the same over `restart()`."""

    command: Sequence[str]
    log: Path
    data: Path
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """What stands before the first slash of an image's name."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base of every request."""
        return f"http://{self.host}"

    @property
    def pid(self) -> int:
        """The process that was started: the parent of the workers, or the only one."""
        if self.process is None:
            raise ServerFailed("the server is not running")
        return self.process.pid

    @property
    def pids(self) -> list[int]:
        """Every live process of the server's group, workers included."""
        return group_members(self.pid)

    def start(self) -> float:
        """Start and wait until ready; returns the seconds that took."""
        begun = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**clean_environment(), **self.environment},
                start_new_session=True,
            )
        try:
            self.wait_ready()
        except ServerFailed:
            self.kill()
            raise
        return time.monotonic() - begun

    def wait_ready(self, within: float = READY_WITHIN) -> None:
        """Return once GET /readyz is 200."""
        limit = time.monotonic() + within
        while time.monotonic() < limit:
            if self.process is not None and self.process.poll() is not None:
                raise ServerFailed(f"the server ended with {self.process.returncode}\n{self.tail()}")
            if answers(self.port):
                return
            time.sleep(0.02)
        raise ServerFailed(f"the server was not ready within {within:.0f} s\n{self.tail()}")

    def stop(self, within: float = STOP_WITHIN) -> int:
        """SIGTERM, wait for the drain to end, and return the exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            status = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"the server did not stop within {within:.0f} s\n{self.tail()}") from None
        self.process = None
        return status

    def kill(self) -> None:
        """SIGKILL the whole group at once, as the kernel does when memory runs out, and reap the parent."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):  # it ended by itself; the number is not reused before its leader is reaped
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def restart(self) -> float:
        """Start again on the same port and data, after stop(), kill() or while running; seconds until ready."""
        self.stop()
        return self.start()

    def peak_memory(self) -> int:
        """The largest VmHWM of any process of the group, in bytes."""
        return max(peak_resident(pid) for pid in self.pids)

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:] if self.log.exists() else ""


@contextmanager
def start_moorage(
    data: Path,
    *,
    workers: int = 1,
    engine: Engine = "uvicorn",
    config: str | None = None,
    args: Sequence[str] = (),
    accounts: bool = False,
    launcher: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[RunningServer]:
    """A live Moorage on `data`, stopped at the end.

    Args:   config: the text of a moorage.toml, written beside the data directory.
            args: more arguments of `moorage serve`.
            accounts: with accounts and tokens, in place of open mode.
            launcher: a command to run the server under (eatmydata, strace, a script that sabotages it).
    Raises: ServerFailed, with the log's end, if the server does not become ready.
    """
    moorage = Path(sys.executable).with_name("moorage")
    port = free_port()
    command = [*launcher, str(moorage), "serve", "--listen", f"127.0.0.1:{port}", "--data", str(data)]
    command += [] if accounts else ["--open"]
    command += ["--workers", str(workers), "--server", engine, *args]
    if config is not None:
        file = data.with_name(f"{data.name}.toml")
        file.write_text(config)
        command += ["--config", str(file)]
    log = data.with_name(f"{data.name}.log")
    given = {"MOORAGE_ADMIN__PASSWORD": ADMIN_PASSWORD, **(environment or {})} if accounts else environment or {}
    server = RunningServer(command=command, log=log, data=data, port=port, environment=given)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
        server.kill()


def clean_environment() -> dict[str, str]:
    """This process's environment without settings of Moorage: a test's server has only what the test gives it."""
    return {name: value for name, value in os.environ.items() if not (name.startswith("MOORAGE_") and "__" in name)}


def answers(port: int) -> bool:
    """Whether GET /readyz is 200 on that port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def group_members(group: int) -> list[int]:
    """The processes of a process group, from /proc."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == group:
                    members.append(int(entry.name))
            except ProcessLookupError:
                continue  # it ended between the listing and the question
    return members


def peak_resident(pid: int) -> int:
    """VmHWM, the most memory the process ever held, in bytes; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0  # a zombie has no memory left to count
