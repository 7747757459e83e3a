"""What a container changed in its image's files: `docker diff`, read off its writable layer.

The layer is overlayfs's upper directory, in which the container may write at this moment: it is walked by descriptors,
and no link is followed. The layers below stand still. Source: the kernel's overlayfs.rst; Engine API, ContainerChanges.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import EngineError

MODIFIED, ADDED, DELETED = 0, 1, 2

DEPTH_LIMIT = 250
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


@dataclass(frozen=True, slots=True)
class Change:
    """One path, and what became of it: MODIFIED, ADDED or DELETED."""

    kind: int
    path: str


def changes(upper: Path, lowers: Sequence[Path]) -> list[Change]:
    """Compare a writable layer with those below it, topmost first. Paths are sorted, each after its directory.

    Raises: EngineError where directories lie too deep in one another.
    """
    found: list[Change] = []
    fd = os.open(upper, _DIRECTORY)
    try:
        _compare(fd, "", list(lowers), found, 0)
    finally:
        os.close(fd)
    return found


def _compare(upper: int, path: str, lowers: list[Path], found: list[Change], depth: int) -> None:
    """Compare one directory; `lowers` are the directories of the layers below that show through in its place."""
    if depth > DEPTH_LIMIT:
        raise EngineError(f"directories lie more than {DEPTH_LIMIT} deep in one another: {path[:256]}")
    for name in sorted(os.listdir(upper)):  # by its descriptor
        with suppress(FileNotFoundError):  # the container has just removed it
            _compare_one(upper, name, f"{path}/{name}", lowers, found, depth)


def _compare_one(upper: int, name: str, path: str, lowers: list[Path], found: list[Change], depth: int) -> None:
    status = os.stat(name, dir_fd=upper, follow_symlinks=False)
    before = list(_seen(lowers, name))
    if _is_whiteout(status):
        if before:
            found.append(Change(DELETED, path))
        return
    at = len(found)
    if stat.S_ISDIR(status.st_mode):
        _enter(upper, name, path, before, found, depth)
    if not before:
        found.insert(at, Change(ADDED, path))
    elif len(found) > at or not _is_same_directory(status, before[0]):
        found.insert(at, Change(MODIFIED, path))


def _enter(upper: int, name: str, path: str, before: list[Path], found: list[Change], depth: int) -> None:
    try:
        fd = os.open(name, _DIRECTORY, dir_fd=upper)
    except OSError:  # the container has just put something else in its place
        return
    try:
        below = [each for each in before if each.is_dir() and not each.is_symlink()]
        if before and before[0] not in below:
            below = []  # a file was there, and hides what lies deeper
        if _is_opaque(fd):
            here = set(os.listdir(fd))  # noqa: PTH208  # by its descriptor
            found += [Change(DELETED, f"{path}/{gone}") for gone in sorted(set(_names(below)) - here)]
            below = []
        _compare(fd, path, below, found, depth + 1)
    finally:
        os.close(fd)


def _seen(lowers: Sequence[Path], name: str) -> Iterator[Path]:
    """What the layers below show under a name, topmost first: a file, or the directories that are merged."""
    for lower in lowers:
        path = lower / name
        try:
            status = path.lstat()
        except OSError:
            continue
        if _is_whiteout(status):
            return
        yield path
        if not stat.S_ISDIR(status.st_mode) or _is_opaque(path):
            return


def _names(lowers: Sequence[Path]) -> Iterator[str]:
    """Every name that the layers below show."""
    names = {each.name for lower in lowers for each in lower.iterdir()}
    return (name for name in names if next(_seen(lowers, name), None) is not None)


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _is_opaque(directory: int | Path) -> bool:
    for name in _OPAQUE:
        with suppress(OSError):
            if os.getxattr(directory, name) == b"y":
                return True
    return False


def _is_same_directory(status: os.stat_result, before: Path) -> bool:
    """Whether a directory was only copied up, as overlayfs does to reach what is in it."""
    old = before.lstat()
    return stat.S_ISDIR(status.st_mode) and (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns) == (
        *(old.st_mode, old.st_uid, old.st_gid),
        old.st_mtime_ns,
    )
