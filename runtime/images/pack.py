"""A directory tree as the tar of a layer, always the same bytes for the same files: names sorted, whole seconds.

overlayfs's whiteouts and opaque directories become the image-spec's (layer.md). What lies in a container's own layer
was made by the container, perhaps at this moment: it is walked by descriptors, and no link is followed.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from runtime.errors import EngineError
from runtime.images import tar_format
from runtime.images.tar_format import Entry
from runtime.images.unpack_input import permitted

BLOCK = 2**20
DEPTH_LIMIT = 500
NAME_LIMIT = 4095

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
NAMESPACES = ("trusted.overlay.", "user.overlay.")

_NO_ATTRIBUTES: Mapping[str, bytes] = MappingProxyType({})
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Unpackable(EngineError):
    """The tree holds something that no layer can."""


def pack(root: Path, *, latest: int | None = None) -> Iterator[bytes]:
    """Give the tar of all that is below a directory, the directory itself left out, in blocks of about 1 MiB.

    Args:   latest: seconds since 1970; what is newer gets this time (SOURCE_DATE_EPOCH).
    Raises: Unpackable; OSError.
    """
    waiting = bytearray()
    for piece in _Packing(root, latest).pieces():
        waiting += piece
        if len(waiting) >= BLOCK:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting + tar_format.END)


@dataclass
class _Packing:
    root: Path
    latest: int | None
    seen: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """The first name of every file that has more than one."""

    def pieces(self) -> Iterator[bytes]:
        """Walk the tree, a directory before what is in it, without recursion: a tree may be deep."""
        waiting: list[tuple[bytes, int, Iterator[bytes]]] = []
        try:
            waiting.append(_opened(b"", os.open(self.root, _DIRECTORY)))
            while waiting:
                prefix, parent, names = waiting[-1]
                name = next(names, None)
                if name is None:
                    os.close(waiting.pop()[1])
                    continue
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    yield from self.leaf(prefix + name, name, parent, status)
                    continue
                if len(waiting) >= DEPTH_LIMIT:
                    raise Unpackable(f"directories more than {DEPTH_LIMIT} deep fit into no layer")
                waiting.append(_opened(prefix + name + b"/", os.open(name, _DIRECTORY, dir_fd=parent)))
                yield from self.directory(*waiting[-1][:2])
        finally:
            for _, fd, _ in waiting:
                os.close(fd)

    def directory(self, name: bytes, fd: int) -> Iterator[bytes]:
        """Write a directory, and that it hides what is below it."""
        status = os.fstat(fd)
        yield tar_format.header(self.entry(name, tar_format.DIRECTORY, status, xattrs=_attributes(fd)))
        if any(_attribute(fd, namespace + "opaque") == b"y" for namespace in NAMESPACES):
            yield tar_format.header(Entry(name + OPAQUE, tar_format.FILE, mode=0o600))
        if any(_attribute(fd, namespace + "redirect") is not None for namespace in NAMESPACES):
            raise Unpackable(
                f"{os.fsdecode(name)!r} was renamed by an overlay with redirect_dir; its files are elsewhere"
            )

    def leaf(self, path: bytes, name: bytes, parent: int, status: os.stat_result) -> Iterator[bytes]:
        """Write what is no directory. Sockets are left out: nothing in a new container listens on them."""
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFCHR and status.st_rdev == 0:
            yield tar_format.header(Entry(_whiteout(path), tar_format.FILE, mode=0o600))
            return
        if name.startswith(WHITEOUT):
            raise Unpackable(f"{os.fsdecode(path)!r}: a layer takes names that begin with .wh. for something else")
        first = self.seen.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
        if first != path:
            yield tar_format.header(self.entry(path, tar_format.LINK, status, target=first))
        elif kind == stat.S_IFREG:
            yield from self.file(path, name, parent)
        elif kind == stat.S_IFLNK:
            target = os.readlink(name, dir_fd=parent)
            yield tar_format.header(self.entry(path, tar_format.SYMLINK, status, target=target))
        elif kind in _NODES:
            device = (os.major(status.st_rdev), os.minor(status.st_rdev))
            yield tar_format.header(self.entry(path, _NODES[kind], status, device=device))

    def file(self, path: bytes, name: bytes, parent: int) -> Iterator[bytes]:
        """Write a file, as long as it was when it was opened: whoever writes to it meanwhile changes no header."""
        fd = os.open(name, _FILE, dir_fd=parent)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise Unpackable(f"{os.fsdecode(path)!r} became something else meanwhile")
            if any(_attribute(fd, namespace + "metacopy") is not None for namespace in NAMESPACES):
                raise Unpackable(
                    f"{os.fsdecode(path)!r} was changed by an overlay with metacopy; its bytes are elsewhere"
                )
            xattrs = _attributes(fd)
            yield tar_format.header(self.entry(path, tar_format.FILE, status, size=status.st_size, xattrs=xattrs))
            left = status.st_size
            while left > 0 and (block := os.read(fd, min(BLOCK, left))):
                left -= len(block)
                yield block
            yield bytes(left) + tar_format.padding(status.st_size)
        finally:
            os.close(fd)

    def entry(
        self,
        name: bytes,
        kind: bytes,
        status: os.stat_result,
        *,
        size: int = 0,
        target: bytes = b"",
        device: tuple[int, int] = (0, 0),
        xattrs: Mapping[str, bytes] = _NO_ATTRIBUTES,
    ) -> Entry:
        """Make an entry with the owner, mode and time of a file."""
        if len(name) > NAME_LIMIT:
            raise Unpackable(f"a name of {len(name)} bytes fits into no layer")
        mtime = max(int(status.st_mtime), 0)
        mtime = mtime if self.latest is None else min(mtime, self.latest)
        return Entry(name, kind, status.st_mode, status.st_uid, status.st_gid, size, mtime, target, device, xattrs)


_NODES = {
    stat.S_IFCHR: tar_format.CHARACTER,
    stat.S_IFBLK: tar_format.BLOCK_DEVICE,
    stat.S_IFIFO: tar_format.PIPE,
}


def _opened(prefix: bytes, fd: int) -> tuple[bytes, int, Iterator[bytes]]:
    """Begin with a directory; it is closed by who pops it."""
    return prefix, fd, iter(sorted(os.fsencode(name) for name in os.listdir(fd)))


def _whiteout(path: bytes) -> bytes:
    parent, slash, name = path.rpartition(b"/")
    return parent + slash + WHITEOUT + name


def _attributes(fd: int) -> dict[str, bytes]:
    """Read the attributes that a layer may carry."""
    return {name: os.getxattr(fd, name) for name in sorted(os.listxattr(fd)) if permitted(name)}


def _attribute(fd: int, name: str) -> bytes | None:
    try:
        return os.getxattr(fd, name)
    except OSError:
        return None
