"""The part of a file system that uploads must leave free, so that the catalog can still commit and pulls go on.

It is the smaller of a fixed size and 5 % of the file system. Asking costs microseconds, yet is not done for every
block: the nearer the reserve, the more often.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from storage.errors import Full

MOST = 256 << 20
_SHARE = 20  # one part in so many: 5 %
_INTERVAL = 64 << 20
_WRITERS = 16  # so many writers at once cannot together pass the reserve between two questions


@dataclass(frozen=True, slots=True)
class Reserve:
    """Watches over the free bytes of the file system that holds `path`."""

    path: Path
    most: int = MOST

    def room(self) -> tuple[int, int]:
        """Return the free bytes, and how many of them are above the reserve: below 0 once it is touched.

        Raises: OSError.
        """
        status = os.statvfs(self.path)
        free = status.f_bavail * status.f_frsize
        return free, free - min(self.most, status.f_blocks * status.f_frsize // _SHARE)

    def admit(self, wanted: int) -> int:
        """Return how many bytes may be written before the next question, at least `wanted`. Raises: Full; OSError."""
        _, headroom = self.room()
        if headroom < max(wanted, 1):
            raise Full("the file system has only its reserve left; free some space, or set a smaller reserve")
        return max(wanted, min(_INTERVAL, headroom // _WRITERS))
