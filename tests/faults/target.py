"""Starts, kills and restarts the server under test as a process group of its own.

It knows command lines and readiness, never what the server stores. Debian's docker-registry is the second target: the
checks are tried on it as well, because a check that no server fails proves nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.report import Options
from tests.faults.wire import Lost, Wire
from tests.parts.server import free_port

HOST = "127.0.0.1"
SABOTAGED = Path(__file__).parent / "sabotaged"
EATMYDATA = "eatmydata"
READY_LIMIT = 5.0  # rule I9
GIVE_UP = 30.0
# The load's sessions all come from one address, and killed servers leave many of them unfinished.
SETTINGS = {"MOORAGE_LIMITS__UPLOADS_PER_SUBJECT": "100000", "MOORAGE_LOG__ACCESS": "false"}
_REGISTRY_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@dataclass(frozen=True, slots=True)
class Features:
    """What a target can do beyond the core; the load leaves out what it cannot."""

    single_post: bool = True
    tag_delete: bool = True
    tag_parameter: bool = True
    referrers: bool = True
    catalog: bool = True


PLAIN = Features(single_post=False, tag_delete=False, tag_parameter=False, referrers=False, catalog=False)


@dataclass(slots=True)
class Server:
    """One server on one data directory; it may be started and killed many times, always on the same port."""

    data: Path
    options: Options
    settings: Mapping[str, str] = field(default_factory=dict)  # MOORAGE_SECTION__KEY
    log: Path = Path()  # where stderr goes; beside the data directory unless the disk under it is to break
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    starved: float = 0.0  # of the last start: seconds for which the machine gave the starting process no CPU

    def __post_init__(self) -> None:
        if self.log == Path():
            self.log = self.data.with_name(self.data.name + ".log")
        if not self.port:
            self.port = free_port()

    @property
    def features(self) -> Features:
        """Return what this target can do."""
        return Features() if self.options.target == "moorage" else PLAIN

    def start(self) -> float:
        """Start the process group and return the seconds until it was ready."""
        environment = {**os.environ, **SETTINGS, **self.settings}
        if self.options.sabotage and self.options.sabotage != EATMYDATA:
            path = os.pathsep.join(filter(None, (str(SABOTAGED), os.environ.get("PYTHONPATH"))))
            environment |= {"PYTHONPATH": path, "FAULTS_SABOTAGE": self.options.sabotage}
        command = self._command()
        if self.options.sabotage == EATMYDATA:
            command.insert(0, EATMYDATA)
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        while time.monotonic() - began < GIVE_UP:
            if self.ready():
                took = time.monotonic() - began
                self.starved = min(took, _starved(self.process.pid))
                return took
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        tail = self.log.read_text(errors="replace")[-1500:]
        self.kill()
        raise RuntimeError(f"the server was not ready after {time.monotonic() - began:.1f} s; its log ends:\n{tail}")

    def ready(self) -> bool:
        """Ask once whether the server is ready."""
        path = "/readyz" if self.options.target == "moorage" else "/v2/"
        try:
            with self.wire(timeout=2) as wire:
                return wire.call("GET", path).status == 200
        except Lost:
            return False

    def alive(self, within: float) -> bool:
        """Tell whether the started process still lives after that many seconds."""
        if self.process is None:
            return False
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            return True
        return False

    def wire(self, *, timeout: float = 15.0) -> Wire:
        """Return a new client connection."""
        return Wire(HOST, self.port, timeout=timeout)

    def kill(self) -> None:
        """SIGKILL every process of the group and wait until they are all gone."""
        if self.process is None:
            return
        self.signal(signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + 10
        while members(self.process.pid) and time.monotonic() < deadline:
            time.sleep(0.002)
        self.process = None

    def stop(self, limit: float = 30.0) -> tuple[int | None, float]:
        """SIGTERM the parent; return its exit status (None: had to be killed) and the seconds it took."""
        if self.process is None:
            return 0, 0.0
        began = time.monotonic()
        self.process.terminate()
        try:
            status: int | None = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        took = time.monotonic() - began
        self.kill()
        return status, took

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return

    def _command(self) -> list[str]:
        if self.options.target == "docker-registry":
            self.data.mkdir(parents=True, exist_ok=True)
            config = self.data.with_name(self.data.name + ".yml")
            config.write_text(_REGISTRY_CONFIG.format(data=self.data, port=self.port))
            return ["docker-registry", "serve", str(config)]
        moorage = str(Path(sys.executable).with_name("moorage"))
        listen = ["--open", "--listen", f"{HOST}:{self.port}", "--data", str(self.data)]
        return [moorage, "serve", *listen, "--workers", str(self.options.workers), "--server", self.options.engine]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def members(group: int) -> list[int]:
    """Return the living (not zombie) processes of a group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(entry)
            if len(fields) > 2 and int(fields[2]) == group and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def _starved(process: int) -> float:
    """Return the seconds a process was ready to run and had to wait for a CPU (the second field of schedstat)."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0  # a kernel without schedstats: then every second counts


def _stat(entry: Path) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; empty when the process is gone."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
