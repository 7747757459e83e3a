"""A peer that runs: started in a session of its own, watched through /proc, stopped with all its processes.

It knows processes, ports and /proc; which server it is does not matter to it.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Peer, Place

READY_WITHIN = 120.0
STOP_WITHIN = 60.0
POLL = 0.002  # seconds; what the time to ready is exact to
TICKS = os.sysconf("SC_CLK_TCK")


class PeerFailed(RuntimeError):
    """A server did not start, or answered what it should not; carries what it said."""


@dataclass
class Running:
    """One server process tree and where it listens."""

    peer: Peer
    place: Place
    process: subprocess.Popen[bytes]
    ready_after: float = 0.0

    @property
    def port(self) -> int:
        """Its port on 127.0.0.1."""
        return self.place.port

    @property
    def url(self) -> str:
        """The base of every request."""
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[int]:
        """Every live process of its session."""
        return session_members(self.process.pid)

    def cpu_seconds(self) -> float:
        """User and system time of the tree so far; ended children count through their parents."""
        return sum(cpu_seconds(pid) for pid in self.processes())

    def peak_memory(self) -> list[int]:
        """VmHWM of each process, in bytes, the largest first."""
        return sorted((peak_resident(pid) for pid in self.processes()), reverse=True)

    def stop(self) -> None:
        """Ask it to end; insist after a minute. Leaves no process of its session behind."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_WITHIN)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def log_tail(self) -> str:
        """The end of what it wrote."""
        return tail(self.place.directory / "log")


def start(peer: Peer, directory: Path, workers: int) -> Running:
    """Start a peer on a directory, new or used before, and wait until it is ready. Raises PeerFailed."""
    directory.mkdir(parents=True, exist_ok=True)
    place = Place(peer.find(), directory, free_port(), workers)
    arguments = peer.configure(place)
    with (directory / "log").open("ab") as log:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [place.program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **peer.environment},
            start_new_session=True,
        )
    running = Running(peer, place, process)
    try:
        _wait_ready(running)
    except PeerFailed:
        running.stop()
        raise
    running.ready_after = time.perf_counter() - begun
    return running


@contextlib.contextmanager
def fresh(peer: Peer, directory: Path, workers: int) -> Iterator[Running]:
    """A peer on empty data, which is gone afterwards, with what it left unwritten."""
    shutil.rmtree(directory, ignore_errors=True)
    # Nobody pays for what another peer left in the page cache; only this file system, for others may be stuck.
    subprocess.run(["sync", "--file-system", directory.parent], check=True)
    running = start(peer, directory, workers)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _wait_ready(running: Running) -> None:
    limit = time.monotonic() + READY_WITHIN
    while time.monotonic() < limit:
        if running.process.poll() is not None:
            raise PeerFailed(f"{running.peer.name} ended with {running.process.returncode}\n{running.log_tail()}")
        if status_of(running.port, running.peer.ready) == 200:
            return
        time.sleep(POLL)
    raise PeerFailed(f"{running.peer.name} was not ready within {READY_WITHIN:.0f} s\n{running.log_tail()}")


def status_of(port: int, path: str) -> int | None:
    """The status that a GET is answered with; None while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def free_port() -> int:
    """A port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def session_members(session: int) -> list[int]:
    """The live processes of a session, from /proc."""
    return [pid for pid in _processes() if (fields := _stat(pid)) and int(fields[3]) == session and fields[0] != "Z"]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that ended."""
    fields = _stat(pid)
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS if fields else 0.0


def peak_resident(pid: int) -> int:
    """VmHWM, the most memory a process ever held, in bytes; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def tail(file: Path, size: int = 4000) -> str:
    """The end of a text file; "" when there is none."""
    return file.read_text(errors="replace")[-size:] if file.exists() else ""


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, group, session, …; empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
