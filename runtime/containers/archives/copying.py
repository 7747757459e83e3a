"""Copies a tree of an image's into an empty directory, whoever may be in there: no link is followed on either side.

Owners, modes, times, attributes, links, FIFOs and device nodes are kept; sockets are not.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

from storage import durable

_BLOCK = 2**20


def copy_tree(source: int, target: Path) -> None:
    """Copy all below the directory `source` (a descriptor), and its own owner and mode. Raises OSError."""
    here = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _copy_directory(source, here)
    finally:
        os.close(here)


def _copy_directory(source: int, target: int) -> None:
    for name in os.listdir(source):
        found = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            _descend(name, source, target)
        elif stat.S_ISREG(found.st_mode):
            _copy_file(name, source, target)
        elif stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
        elif not stat.S_ISSOCK(found.st_mode):
            os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target)
            os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
    _dress(source, target)


def _descend(name: str, source: int, target: int) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    os.mkdir(name, 0o700, dir_fd=target)
    below = os.open(name, flags, dir_fd=source)
    try:
        there = os.open(name, flags, dir_fd=target)
        try:
            _copy_directory(below, there)
        finally:
            os.close(there)
    finally:
        os.close(below)


def _copy_file(name: str, source: int, target: int) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writer = os.open(name, flags, 0o600, dir_fd=target)
        try:
            while block := os.read(reader, _BLOCK):  # copy_file_range does not go from overlay to elsewhere
                durable.write_all(writer, memoryview(block))
            _dress(reader, writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _dress(source: int, target: int) -> None:
    """Give a file or directory the other's owner, mode, attributes and times."""
    found = os.fstat(source)
    os.fchown(target, found.st_uid, found.st_gid)
    os.fchmod(target, stat.S_IMODE(found.st_mode))
    for name in os.listxattr(source):
        if name == "security.capability" or name.startswith("user."):
            with suppress(OSError):  # a file system without them
                os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
