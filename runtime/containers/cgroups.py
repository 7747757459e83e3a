"""Where a process's control groups are, and what their files say: version 1, version 2, and both at once.

Only reads. A group that has just gone, or a controller that the kernel lacks, says nothing: numbers are then 0.
Sources: cgroups(7); the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

UNIFIED = ""
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Groups:
    """The directories of one process's groups, by controller of version 1; UNIFIED is version 2's."""

    directories: Mapping[str, Path]

    @property
    def unified(self) -> bool:
        """Whether version 2 has the controllers: no limit or number is version 1's."""
        return not self.directories.keys() & {"memory", "cpuacct", "pids"}

    def directory(self, controller: str) -> Path | None:
        """The group's directory for a controller, of whichever version."""
        return self.directories.get(UNIFIED if self.unified else controller)

    def text(self, controller: str, name: str) -> str:
        """A file's text; nothing where it is not there."""
        directory = self.directory(controller)
        with suppress(OSError):
            return "" if directory is None else directory.joinpath(name).read_text(encoding="ascii", errors="replace")
        return ""

    def number(self, controller: str, name: str) -> int:
        """A file's number; 0 where it is not there, or says `max`."""
        text = self.text(controller, name).strip()
        return int(text) if text.isascii() and text.isdigit() else 0

    def table(self, controller: str, name: str) -> dict[str, int]:
        """A file of lines `name number`."""
        rows = (line.split() for line in self.text(controller, name).splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isascii() and row[1].isdigit()}

    def pids(self) -> list[int]:
        """Every process in the group and in those below it, in our numbers, in order."""
        directory = self.directory("pids") or self.directory("memory")
        return sorted(set(_pids(directory))) if directory is not None else []


def of(pid: int, proc: Path = PROC) -> Groups:
    """Find a process's groups. Raises FileNotFoundError or ProcessLookupError where it has ended."""
    mounts = _mounts(proc)
    found: dict[str, Path] = {}
    for line in (proc / str(pid) / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for controller in names.split(","):
            mount = mounts.get(controller.removeprefix("name="))
            if mount is not None:
                root, point = mount
                found[controller] = point / path.removeprefix(root.rstrip("/")).lstrip("/")
    return Groups(MappingProxyType(found))


def _mounts(proc: Path) -> dict[str, tuple[str, Path]]:
    """Where each hierarchy is mounted: what of it, and where (proc(5), mountinfo)."""
    found: dict[str, tuple[str, Path]] = {}
    for line in (proc / "self" / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        _, _, _, root, point, *_ = before.split()
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            found.setdefault(UNIFIED, (root, Path(point)))
        elif kind == "cgroup":
            for option in options.split(","):
                found.setdefault(option.removeprefix("name="), (root, Path(point)))
    return found


def _pids(directory: Path) -> Iterator[int]:
    with suppress(OSError):
        yield from map(int, directory.joinpath("cgroup.procs").read_text().split())
        for below in directory.iterdir():
            if below.is_dir():
                yield from _pids(below)
