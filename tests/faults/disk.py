"""File systems for the checks: an ext4 on a loop device that can be photographed, a small tmpfs, remounts. Needs root.

A simulated power cut is a copy of the live image taken while every server process is stopped, so that no fsync is half
way: what the kernel still holds in memory is missing from the copy, as after a real cut. `commit=600` keeps ext4 from
flushing on its own. What a disk's own volatile cache would lose is not simulated.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.target import Server, members

OPTIONS = "loop,commit=600"


def make_image(path: Path, size_mib: int) -> None:
    """Make a sparse file with an ext4 in it."""
    with path.open("wb") as image:
        image.truncate(size_mib << 20)
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(path))


@contextmanager
def mounted(source: str, where: Path, *arguments: str) -> Iterator[Path]:
    """Mount a file system for the length of a with block."""
    where.mkdir(parents=True, exist_ok=True)
    run("mount", *arguments, source, str(where))
    try:
        yield where
    finally:
        for attempt in range(50):  # a killed process may still be letting go of its files
            try:
                run("umount", str(where))
                break
            except subprocess.CalledProcessError:
                if attempt == 49:
                    run("umount", "--lazy", str(where))
                time.sleep(0.1)


@contextmanager
def tmpfs(where: Path, size_mib: int) -> Iterator[Path]:
    """Mount a tmpfs of a given size."""
    with mounted("none", where, "-t", "tmpfs", "-o", f"size={size_mib}m") as found:
        yield found


@contextmanager
def image_on(image: Path, where: Path) -> Iterator[Path]:
    """Mount an ext4 image by a loop device, without automatic flushes."""
    with mounted(str(image), where, "-o", OPTIONS) as found:
        yield found


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """Yield a work directory in memory where there is one: images are copied often."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix=prefix, dir=memory if os.access(memory, os.W_OK) else None) as work:
        yield Path(work)


def cut_power(server: Server, images: list[tuple[Path, Path]]) -> tuple[float, float]:
    """Copy each (image, copy) at one instant; returns the moments just before and just after that instant.

    What was answered before the first moment must be in the copy; what was sent after the second cannot be.
    """
    before = time.monotonic()
    server.signal(signal.SIGSTOP)
    try:
        _wait_until_stopped(server)
        after = time.monotonic()
        for image, copy in images:
            run("cp", "--sparse=always", str(image), str(copy))
    finally:
        server.signal(signal.SIGCONT)
    return before, after


def remount(where: Path, how: str) -> None:
    """Remount a file system with other options ("ro", "rw", "size=80m")."""
    run("mount", "-o", f"remount,{how}", str(where))


def run(*command: str) -> str:
    """Run a command of the system and return what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _wait_until_stopped(server: Server) -> None:
    """Wait until every thread is stopped: one inside fsync stops only after it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if server.process is None or all(state in "TtZX" for state in _states(server.process.pid)):
            return
        time.sleep(0.001)
    raise RuntimeError("the server's threads did not stop within 20 s")


def _states(group: int) -> list[str]:
    found = []
    for process in members(group):
        for task in Path(f"/proc/{process}/task").iterdir():
            try:
                found.append((task / "stat").read_text().rpartition(")")[2].split()[0])
            except OSError:
                continue  # the thread ended between the listing and the reading
    return found
