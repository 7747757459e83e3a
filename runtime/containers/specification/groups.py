"""Takes away the control groups that a killed runtime left of a container, with whatever still runs in them.

runc removes its groups itself; it cannot where it was killed before it had written down that there were any. Works on
cgroup v1, v2 and both together: a group's directory has the same name below every hierarchy.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from runtime.containers.model import Container

_MOUNTED = Path("/sys/fs/cgroup")
_WITHIN = 5.0


def name(container: Container) -> str:
    """The container's group, as runc gets it: `/moorage/ID`, or below `--cgroup-parent`."""
    return f"{container.host_config['CgroupParent'].rstrip('/') or '/moorage'}/{container.id}"


def frozen(container: Container, mounted: Path = _MOUNTED) -> bool:
    """Whether its processes are paused."""
    place = name(container).strip("/")
    for file, word in ((f"freezer/{place}/freezer.state", "FROZEN"), (f"{place}/cgroup.freeze", "1")):
        with suppress(OSError):
            return (mounted / file).read_text(encoding="ascii").strip() == word
    return False


def remove(container: Container, mounted: Path = _MOUNTED) -> None:
    """Kill what is in the container's groups and remove them; harmless where there are none. Raises OSError."""
    place = name(container).strip("/")
    for root in (mounted, *_hierarchies(mounted)):
        group = root / place
        if group.is_dir():
            _empty(group)
            for directory in sorted((each for each in group.rglob("*") if each.is_dir()), reverse=True):
                directory.rmdir()
            with suppress(FileNotFoundError):
                group.rmdir()


def _hierarchies(mounted: Path) -> list[Path]:
    """Version 1's controllers, and version 2 beside them."""
    if (mounted / "cgroup.controllers").exists():
        return []
    return [entry for entry in mounted.iterdir() if entry.is_dir() and not entry.is_symlink()]


def _empty(group: Path) -> None:
    limit = time.monotonic() + _WITHIN
    while processes := _processes(group):
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > limit:
            return
        time.sleep(0.005)


def _processes(group: Path) -> list[int]:
    found: list[int] = []
    for file in group.rglob("cgroup.procs"):
        with suppress(OSError):
            found += [int(line) for line in file.read_text(encoding="ascii").split()]
    return [pid for pid in found if pid > 0]
