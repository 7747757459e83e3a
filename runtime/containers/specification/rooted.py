"""Opens files below a root as a process chrooted there would, so that no link of an image leads out of it.

openat2(2) with RESOLVE_IN_ROOT: absolute links and `..` stay inside, /proc's magic links are refused. Only regular
files are opened for reading (a device or a FIFO named /etc/passwd is looked at and left), and only so much is read.
"""

import ctypes
import os
import stat
from pathlib import Path

_OPENAT2 = 437
_RESOLVE_IN_ROOT, _RESOLVE_NO_MAGICLINKS = 0x10, 0x02


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_inside(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path` below the directory `root` (a descriptor); returns a descriptor. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    how = _How(flags | os.O_CLOEXEC, mode, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    name = os.fsencode(path.lstrip("/") or ".")
    fd: int = library.syscall(_OPENAT2, root, name, ctypes.byref(how), ctypes.sizeof(how))
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return fd


def read_inside(root: Path, path: str, limit: int) -> bytes:
    """Read at most `limit` bytes of a regular file below `root`; b"" where there is none."""
    try:
        directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        place = open_inside(directory, path, os.O_PATH)
    except OSError:
        return b""
    finally:
        os.close(directory)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            return b""
        with open(f"/proc/self/fd/{place}", "rb") as file:  # noqa: PTH123  # the same file, whatever its name is by now
            return file.read(limit)
    except OSError:
        return b""
    finally:
        os.close(place)
