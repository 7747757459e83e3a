"""Undoes what container programs leave mounted below a test's directory.

A daemon that ended well has unmounted everything; one that was killed has not, and its directory cannot be removed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path


def unmount_below(directory: Path) -> None:
    """Detach every mount whose point is at or below the directory, the deepest first."""
    rows = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [Path(row.split()[4]) for row in rows]
    for point in sorted((point for point in points if point.is_relative_to(directory)), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False)
