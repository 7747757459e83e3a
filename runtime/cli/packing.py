"""Tar archives made of local files, a block at a time: what `moor cp` and `moor build` send.

Links are sent as links and never followed; sockets are left out; a file that changes while it is read keeps the size
that its header gave. Source: POSIX pax(1) by `tarfile`'s headers.
"""

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

BLOCK = 1 << 18
RECORD = 512
END = bytes(2 * RECORD)


def packed_tree(path: Path, name: str, *, owned_by_root: bool = False) -> Iterator[bytes]:
    """A file, or a directory with all that is in it, under `name`; without the archive's end."""
    yield from packed(path, name, owned_by_root=owned_by_root)
    if path.is_dir() and not path.is_symlink():
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            yield from packed_tree(Path(entry.path), f"{name}/{entry.name}", owned_by_root=owned_by_root)


def packed(path: Path, name: str, *, owned_by_root: bool = False) -> Iterator[bytes]:
    """One entry: header and content; nothing for a socket. Raises: OSError."""
    status = path.lstat()
    if stat.S_ISSOCK(status.st_mode):
        return
    entry = _header(path, name, status)
    if owned_by_root:
        entry.uid = entry.gid = 0
    if not entry.isreg():
        yield _bytes(entry)
        return
    # O_NOFOLLOW: the name may have become a link since; O_NONBLOCK: or a pipe that nobody writes.
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield _bytes(entry)
        yield from _content(fd, entry.size)
    finally:
        os.close(fd)


def packed_bytes(name: str, content: bytes) -> Iterator[bytes]:
    """A regular file of root's with this content."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    yield _bytes(entry)
    yield content + bytes(-len(content) % RECORD)


def _header(path: Path, name: str, status: os.stat_result) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode = stat.S_IMODE(status.st_mode)
    entry.uid, entry.gid, entry.mtime = status.st_uid, status.st_gid, int(status.st_mtime)
    kinds = {
        stat.S_IFDIR: tarfile.DIRTYPE,
        stat.S_IFLNK: tarfile.SYMTYPE,
        stat.S_IFIFO: tarfile.FIFOTYPE,
        stat.S_IFCHR: tarfile.CHRTYPE,
        stat.S_IFBLK: tarfile.BLKTYPE,
    }
    entry.type = kinds.get(stat.S_IFMT(status.st_mode), tarfile.REGTYPE)
    if entry.isreg():
        entry.size = status.st_size
    elif entry.issym():
        entry.linkname = str(path.readlink())
    elif entry.type in {tarfile.CHRTYPE, tarfile.BLKTYPE}:
        entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return entry


def _bytes(entry: tarfile.TarInfo) -> bytes:
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _content(fd: int, size: int) -> Iterator[bytes]:
    left = size
    while left:
        block = os.read(fd, min(left, BLOCK)) or bytes(min(left, BLOCK))  # it has become shorter
        left -= len(block)
        yield block
    yield bytes(-size % RECORD)
