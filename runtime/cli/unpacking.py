"""Unpacks an archive that a container made into a local directory, and never outside of it.

`tarfile` reads the entries and writes nothing: every name is walked from the directory by descriptors that follow no
link, so that neither `..` nor a link in the archive leads out. What leaves the destination is refused, not skipped.
Device nodes are refused too. Source: openat(2), path_resolution(7); CVE-2014-9357, CVE-2018-15664 for the tricks.
"""

import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.cli.options import Failure

BLOCK = 1 << 18
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _Stream:
    """Blocks as a file object that `tarfile` reads."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._held = b""

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, or fewer at the end."""
        while len(self._held) < size and (block := next(self._blocks, b"")):
            self._held += block
        found, self._held = self._held[:size], self._held[size:]
        return found


def unpack(blocks: Iterable[bytes], directory: Path, rename: Callable[[str], str], *, owners: bool) -> None:
    """Unpack a stream below a directory.

    Args:   rename: gives each entry's name its new form; owners: whether owners are kept, as root may.
    Raises: Failure for what is no archive or leads out; OSError.
    """
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    late: list[tuple[tuple[str, ...], tarfile.TarInfo]] = []
    try:
        with tarfile.open(fileobj=_Stream(blocks), mode="r|") as archive:  # type: ignore[call-overload]  # read alone is used
            for entry in archive:
                parts = _parts(rename(entry.name))
                if not parts:
                    continue
                _put(root, parts, entry, archive, rename, owners=owners)
                if entry.isdir():
                    late.append((parts, entry))
        for parts, entry in reversed(late):  # a directory's time changes with each name that is made in it
            with _opened(root, parts) as fd:
                os.fchmod(fd, _mode(entry, owners=owners))
                os.utime(fd, (entry.mtime, entry.mtime))
    except tarfile.TarError as error:
        raise Failure(f"the archive from the container is damaged: {error}") from error
    finally:
        os.close(root)


def _mode(entry: tarfile.TarInfo, *, owners: bool) -> int:
    """The entry's mode, with set-id bits only where its owner is kept: what becomes ours must not run as us."""
    return entry.mode & (0o7777 if owners else 0o1777)


def _parts(name: str) -> tuple[str, ...]:
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if ".." in parts or "\0" in name or name.startswith("/"):
        raise Failure(f"the archive from the container is refused: {name!r} leads out of the destination")
    return parts


@contextmanager
def _opened(root: int, parts: tuple[str, ...]) -> Iterator[int]:
    """The directory of these parts, each of which has to be a real one. Raises: OSError."""
    fd = os.dup(root)
    try:
        for part in parts:
            inner = os.open(part, _DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def _put(
    root: int,
    parts: tuple[str, ...],
    entry: tarfile.TarInfo,
    archive: tarfile.TarFile,
    rename: Callable[[str], str],
    *,
    owners: bool,
) -> None:
    *above, name = parts
    with _opened(root, tuple(above)) as parent:
        if entry.isdir():
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
            os.close(os.open(name, _DIRECTORY, dir_fd=parent))  # a link or a file in its place is an error
        else:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=parent)
            _leaf(root, parent, name, entry, archive, rename)
        if owners:
            os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
            if entry.isreg():
                os.chmod(name, _mode(entry, owners=owners), dir_fd=parent)  # chown has taken set-id bits away


def _leaf(
    root: int, parent: int, name: str, entry: tarfile.TarInfo, archive: tarfile.TarFile, rename: Callable[[str], str]
) -> None:
    if entry.issym():
        os.symlink(entry.linkname, name, dir_fd=parent)
    elif entry.islnk():
        *above, target = _parts(rename(entry.linkname))
        with _opened(root, tuple(above)) as source:
            os.link(target, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
    elif entry.isreg():
        _file(parent, name, entry, archive)
    elif entry.isfifo():
        os.mkfifo(name, entry.mode & 0o777, dir_fd=parent)
    else:
        raise Failure(f"the archive from the container is refused: {entry.name!r} is a device")


def _file(parent: int, name: str, entry: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    content = archive.extractfile(entry)
    if content is None:
        return
    fd = os.open(name, _FRESH, 0o600, dir_fd=parent)
    with open(fd, "wb") as file:  # noqa: PTH123  # a descriptor
        while block := content.read(BLOCK):
            file.write(block)
        os.fchmod(fd, _mode(entry, owners=False))
        file.flush()
        os.utime(fd, (entry.mtime, entry.mtime))
