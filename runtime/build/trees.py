"""Copies files from one root directory into another, for COPY and ADD, and says by a digest what would be copied.

Neither root is trusted: every path is opened by openat2(2) inside its root, every name below by its directory's
descriptor, and no link in a tree is followed. Nothing runs in these roots meanwhile.
Source: Dockerfile reference, COPY; BuildKit's fsutil copy for what replaces what.
"""

import errno
import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from runtime.containers.specification.rooted import open_inside
from runtime.errors import BadParameter
from runtime.images.unpack_input import permitted

DEPTH_LIMIT = 200
BLOCK = 2**20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_BELOW = _DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Rules:
    """`owner`: of everything, in place of what the files have; `mode`: the same; `devices`: may be copied."""

    owner: tuple[int, int] | None = None
    mode: int | None = None
    devices: bool = False


@contextmanager
def opened(root: int, path: str, flags: int) -> Iterator[int]:
    """Open a path inside a root for a while. Raises OSError."""
    fd = open_inside(root, path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def readable(root: int, path: str) -> Iterator[int]:
    """Open a regular file or a directory inside a root for a while; nothing else is even opened: devices act by that.

    Raises: BadParameter where it is something else; OSError.
    """
    with opened(root, path, os.O_PATH) as place:
        kind = os.fstat(place).st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise BadParameter(f"{path} is neither a regular file nor a directory")
        fd = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def directory_at(root: int, path: str, owner: tuple[int, int] = (0, 0)) -> int:
    """Open a directory inside a root, made with those above it where it is missing; links are followed inside.

    Raises: BadParameter where something else is in the way; OSError.
    """
    parts = [part for part in path.split("/") if part]
    here = open_inside(root, ".", _DIRECTORY)
    for depth in range(1, len(parts) + 1):
        place = "/".join(parts[:depth])
        try:
            there = _made(root, here, place, owner)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ELOOP):
                raise BadParameter(f"cannot copy to non-directory: /{place}") from None
            raise
        finally:
            os.close(here)
        here = there
    return here


def _made(root: int, here: int, place: str, owner: tuple[int, int]) -> int:
    try:
        return open_inside(root, place, _DIRECTORY)
    except FileNotFoundError:
        name = posixpath.basename(place)
        os.mkdir(name, 0o700, dir_fd=here)
        os.chown(name, *owner, dir_fd=here, follow_symlinks=False)
        os.chmod(name, 0o755, dir_fd=here)  # noqa: S103  # as Docker makes them
        return open_inside(root, place, _DIRECTORY)


def is_directory(root: int, path: str) -> bool:
    """Tell whether a path leads to a directory, inside."""
    with suppress(OSError), opened(root, path, os.O_PATH) as fd:
        return stat.S_ISDIR(os.fstat(fd).st_mode)
    return False


class Copying:
    """One copy, from a root to a root; `at` is the target's path, for links to directories that are in the way."""

    def __init__(self, target_root: int, rules: Rules) -> None:
        self._root = target_root
        self._rules = rules

    def contents(self, source: int, target: int, at: str, depth: int = 0) -> None:
        """Copy all that is in an open directory into another. Raises: BadParameter, OSError."""
        if depth > DEPTH_LIMIT:
            raise BadParameter(f"directories more than {DEPTH_LIMIT} deep are not copied")
        for name in sorted(os.listdir(source)):
            self.entry(source, name, target, name, f"{at}/{name}", depth)

    def entry(self, source: int, name: str, target: int, new: str, at: str, depth: int = 0) -> None:
        """Copy one entry of an open directory under a new name."""
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            self._directory(source, name, target, new, at, depth)
        elif kind == stat.S_IFREG:
            fd = os.open(name, _FILE, dir_fd=source)
            try:
                self.file(fd, target, new, at)
            finally:
                os.close(fd)
        elif kind != stat.S_IFSOCK:
            self._other(source, name, target, new, at, status)

    def file(self, source: int, target: int, name: str, at: str) -> None:
        """Copy an open file into an open directory, in the place of what has its name there."""
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode):
            raise BadParameter(f"{at} is no regular file")
        _clear(target, name, at)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=target)
        try:
            while os.sendfile(fd, source, None, BLOCK):
                pass
            self._dress(source, fd, status)
        finally:
            os.close(fd)

    def _directory(self, source: int, name: str, target: int, new: str, at: str, depth: int) -> None:
        below = os.open(name, _BELOW, dir_fd=source)
        try:
            try:
                os.mkdir(new, 0o700, dir_fd=target)
                made = True
            except FileExistsError:
                made = False
            there = self._there(target, new, at)
            try:
                status = os.fstat(below)
                self.contents(below, there, at, depth + 1)
                if made:
                    self._dress(below, there, status)
            finally:
                os.close(there)
        finally:
            os.close(below)

    def _there(self, target: int, name: str, at: str) -> int:
        """Open a directory that the copy goes on in; a link to one is followed, inside the root."""
        try:
            return os.open(name, _BELOW, dir_fd=target)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
        try:
            return open_inside(self._root, at, _DIRECTORY)
        except OSError:
            raise BadParameter(f"cannot copy to non-directory: {at}") from None

    def _other(self, source: int, name: str, target: int, new: str, at: str, status: os.stat_result) -> None:
        kind = stat.S_IFMT(status.st_mode)
        if kind in (stat.S_IFCHR, stat.S_IFBLK) and (status.st_rdev == 0 or not self._rules.devices):
            raise BadParameter(f"{at}: devices are not copied from a build context")
        _clear(target, new, at)
        uid, gid = self._rules.owner or (status.st_uid, status.st_gid)
        if kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source), new, dir_fd=target)
        else:
            os.mknod(new, kind | 0o600, status.st_rdev, dir_fd=target)
        os.chown(new, uid, gid, dir_fd=target, follow_symlinks=False)
        if kind != stat.S_IFLNK:
            mode = stat.S_IMODE(status.st_mode) if self._rules.mode is None else self._rules.mode
            os.chmod(new, mode, dir_fd=target)
        os.utime(new, ns=(status.st_mtime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)

    def _dress(self, source: int, fd: int, status: os.stat_result) -> None:
        """Give owner, mode, attributes and time, in this order: each takes away what comes after it."""
        os.fchown(fd, *(self._rules.owner or (status.st_uid, status.st_gid)))
        os.fchmod(fd, stat.S_IMODE(status.st_mode) if self._rules.mode is None else self._rules.mode)
        for name in os.listxattr(source):
            if permitted(name):
                os.setxattr(fd, name, os.getxattr(source, name))
        os.utime(fd, ns=(status.st_mtime_ns, status.st_mtime_ns))


def _clear(target: int, name: str, at: str) -> None:
    """Remove what is in a file's way; a directory stays, and nothing replaces it."""
    try:
        os.unlink(name, dir_fd=target)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        raise BadParameter(f"cannot replace to directory {at} with file") from None


class Sum:
    """A digest of trees: names, kinds, modes, owners where they count, contents; no times, as in Docker's cache."""

    def __init__(self, *, owners: bool) -> None:
        self._hash = hashlib.sha256()
        self._owners = owners

    def value(self) -> str:
        """Give the digest of all that was added."""
        return self._hash.hexdigest()

    def add(self, fd: int, name: str, depth: int = 0) -> None:
        """Add an open file or directory with all that is in it. Raises: BadParameter, OSError."""
        status = os.fstat(fd)
        self._head(name, status)
        if stat.S_ISREG(status.st_mode):
            digest = hashlib.sha256()
            while block := os.read(fd, BLOCK):
                digest.update(block)
            self._hash.update(digest.digest())
            return
        if depth > DEPTH_LIMIT:
            raise BadParameter(f"directories more than {DEPTH_LIMIT} deep are not copied")
        for each in sorted(os.listdir(fd)):
            self._below(fd, each, f"{name}/{each}", depth)

    def text(self, *parts: str) -> None:
        """Add texts."""
        for part in parts:
            data = part.encode("utf-8", "surrogateescape")
            self._hash.update(b"%d:" % len(data) + data)

    def _below(self, fd: int, name: str, path: str, depth: int) -> None:
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
            below = os.open(name, _BELOW if stat.S_ISDIR(status.st_mode) else _FILE, dir_fd=fd)
            try:
                self.add(below, path, depth + 1)
            finally:
                os.close(below)
            return
        self._head(path, status)
        if stat.S_ISLNK(status.st_mode):
            self.text(os.readlink(name, dir_fd=fd))

    def _head(self, name: str, status: os.stat_result) -> None:
        owner = f"{status.st_uid}:{status.st_gid}" if self._owners else ""
        self.text(name, f"{status.st_mode:o}", owner, str(status.st_rdev))
