"""What is known to be on the disk: a call that writes back a whole file system, and which boot of the machine this is.

Syncing each of ten thousand small files takes minutes; syncfs(2) takes what the disk needs for the bytes.
"""

import ctypes
import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    """Return the id of the machine's present run: after a power cut it is another one."""
    return _BOOT.read_text(encoding="ascii").strip()


def sync_filesystem(directory: Path) -> None:
    """Wait until all that was written to a directory's file system is on its disk. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(directory))
    finally:
        os.close(fd)
