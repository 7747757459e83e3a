"""Waiting for a directory's files to change without asking again and again: inotify(7), by the C library.

Says only that something changed; what, the caller looks up. Raises OSError (ENOSPC: fs.inotify.max_user_watches).
"""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_MODIFY, _CLOSE_WRITE, _MOVED_TO, _CREATE, _DELETE_SELF, _ONLYDIR = 0x2, 0x8, 0x80, 0x100, 0x400, 0x01000000
_CHANGES = _MODIFY | _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE_SELF | _ONLYDIR
_MANY = 64 * 1024


class Watch:
    """A directory that is watched; `fileno()` is readable once something in it was written, closed, made or renamed."""

    def __init__(self, directory: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._fd = _checked(library.inotify_init1(_NONBLOCK_CLOEXEC))
        try:
            _checked(library.inotify_add_watch(self._fd, os.fsencode(directory), _CHANGES))
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._fd

    def clear(self) -> None:
        """Take note of what has changed up to now: `fileno()` tells of what comes after."""
        with suppress(BlockingIOError):
            while os.read(self._fd, _MANY):
                continue

    def close(self) -> None:
        """Stop watching; harmless at any time."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
