"""Writes part of the file system that this process is locked into as a tar: `docker cp` out, and `docker export`.

Part of the program that `archive_child.py` is: stdlib only. The container may run and change everything meanwhile:
names are looked at without following links, files opened without waiting, and a file's size is what its header says.
Nobody's name is looked up: that would load the container's libraries into this process (CVE-2019-14271).
"""

# ruff: noqa: PTH118, PTH208, PTH115  # importing pathlib would take as long as copying a small file
import contextlib
import errno
import os
import stat
import tarfile
from collections.abc import Iterator

BLOCK = 2**20
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_ATTRIBUTES = ("security.capability",)


class Packer:
    """A tar on a descriptor. Hard links are kept: a file's second name refers to its first."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._names: dict[tuple[int, int], str] = {}

    def tree(self, path: str, name: str) -> None:
        """Write what is at `path` under `name`, and all below a directory; a root's `name` is "/" or nothing."""
        for found, status, called in _walk(path, name):
            self._entry(found, status, called)
        self._write(bytes(2 * tarfile.BLOCKSIZE))

    def _entry(self, path: str, status: os.stat_result, name: str) -> None:
        if not name or stat.S_ISSOCK(status.st_mode):
            return  # a socket is of no use without who listens
        header = _header(path, status, name)
        if header is None:
            return
        if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
            first = self._names.setdefault((status.st_dev, status.st_ino), name)
            if first != name:
                header.type, header.linkname, header.size = tarfile.LNKTYPE, first, 0
        if header.type == tarfile.REGTYPE:
            self._file(path, status, header)
        else:
            self._write(_packed(header))

    def _file(self, path: str, status: os.stat_result, header: tarfile.TarInfo) -> None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (*_GONE, errno.EACCES, errno.ENXIO):  # replaced meanwhile: by a link, a device, nothing
                return
            raise
        try:
            now = os.fstat(fd)
            if not os.path.samestat(now, status) or not stat.S_ISREG(now.st_mode):
                return
            self._write(_packed(header))
            self._content(fd, header.size)
        finally:
            os.close(fd)

    def _content(self, fd: int, size: int) -> None:
        """Write exactly `size` bytes: what grew is cut, what shrank is filled with zeros."""
        left = size
        while left:
            block = os.read(fd, min(BLOCK, left)) or bytes(min(BLOCK, left))
            self._write(block)
            left -= len(block)
        self._write(bytes(-size % tarfile.BLOCKSIZE))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]


def _walk(path: str, name: str) -> Iterator[tuple[str, os.stat_result, str]]:
    """Yield a path and all below it, parents first, by name; what vanishes meanwhile is left out."""
    waiting = [(path, name)]
    while waiting:
        path, name = waiting.pop()
        try:
            status = os.lstat(path)
            directory = stat.S_ISDIR(status.st_mode)
            children = sorted(os.listdir(path), reverse=True) if directory else []
        except OSError as error:
            if error.errno in _GONE:
                continue
            raise
        yield path, status, name
        prefix = name.rstrip("/") if name.strip("/") else name
        base = prefix if prefix in ("", "/") else f"{prefix}/"
        waiting += [(os.path.join(path, child), base + child) for child in children]


def _header(path: str, status: os.stat_result, name: str) -> tarfile.TarInfo | None:
    """Describe a file as it was seen; None where it is gone."""
    header = tarfile.TarInfo(name)
    header.mode, header.uid, header.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    header.mtime = int(status.st_mtime)
    kind = stat.S_IFMT(status.st_mode)
    header.type = _TYPES.get(kind, tarfile.REGTYPE)
    if kind == stat.S_IFREG:
        header.size = status.st_size
    if kind in (stat.S_IFBLK, stat.S_IFCHR):
        header.devmajor, header.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    if kind == stat.S_IFLNK:
        try:
            header.linkname = os.readlink(path)
        except OSError:
            return None
    if kind in (stat.S_IFREG, stat.S_IFDIR):
        header.pax_headers = dict(_attributes(path))
    return header


_TYPES = {
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
}


def _attributes(path: str) -> Iterator[tuple[str, str]]:
    """Yield the extended attributes that Docker keeps, as pax headers."""
    for name in _ATTRIBUTES:
        with contextlib.suppress(OSError):
            value = os.getxattr(path, name, follow_symlinks=False)
            yield f"SCHILY.xattr.{name}", value.decode("utf-8", "surrogateescape")


def _packed(header: tarfile.TarInfo) -> bytes:
    return header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
