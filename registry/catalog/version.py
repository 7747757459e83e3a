"""Has anybody committed to a SQLite catalog since we last looked? Answered without a system call (ADR 3).

In WAL mode every commit, of this process or any other, rewrites the header of the WAL-index, a small file that all
connections share in memory (https://sqlite.org/walformat.html, "WAL-index format"). SQLite compares that header to tell
whether its own page cache is still good; so do we, and are exactly as fresh. Knows no table.
"""

import ctypes
import mmap
import os
import sqlite3
from pathlib import Path

HEADER_SIZE = 96
"""Both copies of the header; they differ only while a commit is being written."""


class DataVersion:
    """The catalog's version, as an opaque value that changes with every commit."""

    def __init__(self, path: Path) -> None:
        """Watch the database at `path`. Raises OSError if its WAL-index cannot be mapped."""
        # While this connection lives, SQLite keeps the WAL-index; its name and inode stay what they are.
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
        self._connection.execute("PRAGMA data_version").fetchone()
        self._header = _mapped(path.with_name(f"{path.name}-shm"))

    def value(self) -> bytes:
        """Give the version. Equal values mean that nothing was committed in between."""
        return self._header.raw

    def close(self) -> None:
        """Stop watching. The mapping stays until the process ends; see `_mapped`."""
        self._connection.close()


def _mapped(path: Path) -> "ctypes.Array[ctypes.c_char]":
    """Map the header for reading, for as long as the process lives.

    The descriptor is never closed: closing any descriptor of a file drops the POSIX locks that this process holds on
    it, and those belong to SQLite. Python's own mmap object would close one, hence the bare call.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    )
    address = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), f"cannot map {path}")
    return (ctypes.c_char * HEADER_SIZE).from_address(address)
