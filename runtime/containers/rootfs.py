"""Mounts a container's root file system and takes it away again: overlayfs by mount(2), no process started for it.

Lower directories are short links relative to the data root, so that the kernel's one page of options holds 128 of them;
a thread of our own has that directory as its working directory (unshare(CLONE_FS)), for the process's own must not
change. Knows paths only.
"""

import ctypes
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from runtime.errors import EngineError

T = TypeVar("T")

_CLONE_FS = 0x00000200
_MNT_DETACH, _UMOUNT_NOFOLLOW = 0x2, 0x8
_NOSUID, _NODEV, _NOEXEC = 0x2, 0x4, 0x8
_OPTIONS = ("index=off", "metacopy=off", "redirect_dir=off")
_USER_OPTIONS = ("index=off", "userxattr")  # which forbids the other two, and with them whatever says so of them
_PLACES = ("dev", "proc", "sys", "dev/pts", "dev/shm")
_FILES = ("etc/hosts", "etc/hostname", "etc/resolv.conf", "dev/console", ".dockerenv")


class Roots:
    """Mounts below one data root."""

    def __init__(self, data: Path, *, userxattr: bool = False) -> None:
        self._options = _USER_OPTIONS if userxattr else _OPTIONS
        self._data = data
        self._thread = ThreadPoolExecutor(1, "moor-mounts", initializer=_live_in, initargs=(data,))

    def mount(self, target: Path, lowers: Sequence[str], directory: Path) -> None:
        """Mount an overlay of `lowers` (relative, top first) with `directory`'s upper and work. Raises EngineError."""
        own = directory.relative_to(self._data)
        _place(target)
        options = f"lowerdir={':'.join(lowers)},upperdir={own}/upper,workdir={own}/work,{','.join(self._options)}"
        self._in_thread(lambda: _mount("overlay", str(target), "overlay", 0, options))

    def shm(self, target: Path, size: int) -> None:
        """Mount shared memory of `size` bytes that several containers may have. Raises EngineError."""
        _place(target)
        flags = _NOSUID | _NODEV | _NOEXEC
        self._in_thread(lambda: _mount("shm", str(target), "tmpfs", flags, f"mode=1777,size={size}"))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _in_thread(self, action: Callable[[], T]) -> T:
        try:
            return self._thread.submit(action).result()
        except OSError as error:
            raise EngineError(f"the root file system cannot be mounted: {error.strerror}") from error


def _place(target: Path) -> None:
    """Make a mount point in a directory that is ours alone: images hold setuid files (CVE-2021-41091)."""
    target.parent.mkdir(mode=0o700, exist_ok=True)
    target.mkdir(mode=0o700, exist_ok=True)


def unmount(target: Path) -> None:
    """Take away whatever is mounted at a place, and the place; harmless where there is nothing."""
    library = ctypes.CDLL(None, use_errno=True)
    while library.umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW) == 0:
        pass
    with suppress(OSError):
        target.rmdir()


def mounted_below(directory: Path) -> list[Path]:
    """Every mount point at or below a directory, the deepest first."""
    rows = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    points = [Path(row.split(" ")[4].replace("\\040", " ")) for row in rows]
    return sorted((point for point in points if point.is_relative_to(directory)), reverse=True)


def prepare(directory: Path, lowers: Sequence[Path]) -> None:
    """Make a container's init layer: what runc and we mount on, so that it is not found in the writable layer.

    A directory that the image has keeps its owner, mode and time; where the image's /etc is no directory, ours would
    hide it, so it is left alone (runc then makes the mount points where the image's link leads, inside the root).
    """
    for name in ("upper", "work", "init"):
        (directory / name).mkdir(mode=0o755)
    init = directory / "init"
    for place in _PLACES:
        _like(init / place, place, lowers)
    if _like(init / "etc", "etc", lowers):
        (init / "etc/mtab").symlink_to("/proc/mounts")
        for name in _FILES:
            (init / name).touch(mode=0o755 if name == ".dockerenv" else 0o644)
    for place in reversed(("etc", *_PLACES)):
        _dated(init / place, place, lowers)


def _like(path: Path, place: str, lowers: Sequence[Path]) -> bool:
    """Make a directory as the image has it; False where the image has something else there."""
    found = next(_found(place, lowers), None)
    if found is not None and not stat.S_ISDIR(found.st_mode) and place == "etc":
        return False
    path.mkdir(mode=0o755)
    if found is not None and stat.S_ISDIR(found.st_mode):
        os.chown(path, found.st_uid, found.st_gid)
        path.chmod(stat.S_IMODE(found.st_mode))
    return True


def _dated(path: Path, place: str, lowers: Sequence[Path]) -> None:
    found = next(_found(place, lowers), None)
    if found is not None and path.exists():
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def _found(place: str, lowers: Sequence[Path]) -> Iterator[os.stat_result]:
    """What the image's layers have at a place, the topmost first; no link on the way is followed."""
    for lower in lowers:
        here = lower
        try:
            for part in place.split("/"):
                if here != lower and not stat.S_ISDIR(here.lstat().st_mode):
                    raise NotADirectoryError
                here = here / part
            yield here.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue


def _live_in(data: Path) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_CLONE_FS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.chdir(data)


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    arguments = [os.fsencode(text) for text in (source, target, kind)]
    if library.mount(*arguments, flags, os.fsencode(options)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
