"""The few operations that make files survive a power cut, and start the disk's work early.

A file's bytes are safe after fsync(file), its name after fsync(directory), and a new directory's name after fsync of
its parent. Everything here raises OSError and knows nothing of uploads or keys.
"""

import ctypes
import functools
import os
from collections.abc import Callable
from pathlib import Path

_SYNC_FILE_RANGE_WRITE = 2


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: Path, root: Path) -> None:
    """Make `path` and what is missing between it and `root`, all private to us and all durable.

    The parents are synced even where the directory was there already: whoever made it may not have come that far.
    """
    if path == root:
        return
    make_directory(path.parent, root)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def write_all(fd: int, data: memoryview) -> None:
    """Write every byte; a file system about to be full takes only a part at first."""
    while data:
        data = data[os.write(fd, data) :]


def start_writeback(fd: int, offset: int, length: int) -> None:
    """Ask the kernel to begin writing a range to the disk, without waiting: the final fsync then has little left."""
    sync_file_range = _sync_file_range()
    if sync_file_range is not None:
        sync_file_range(fd, offset, length, _SYNC_FILE_RANGE_WRITE)  # a hint: fsync is what finds errors


@functools.cache
def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """Find the C library's function; Linux has it, others do not."""
    try:
        function = ctypes.CDLL(None).sync_file_range
    except AttributeError:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return function
