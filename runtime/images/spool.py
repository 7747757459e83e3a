"""An archive of images that came from a client, spread out in a private directory and read with care.

It is unpacked by the same locked-in process as a layer. What lies there then is still the client's: a name is followed
through real directories only, a link only inside, and only regular files are read.
"""

import os
import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from runtime.errors import BadParameter

_HOPS = 8


class Spool:
    """The files of one archive."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def has(self, name: str) -> bool:
        """Tell whether there is a regular file of this name."""
        try:
            self.open(name).close()
        except BadParameter:
            return False
        return True

    def open(self, name: str) -> BinaryIO:
        """Open a file of the archive. Raises BadParameter where it is none, or outside."""
        for _ in range(_HOPS):
            path = self._inside(name)
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                if not path.is_symlink():
                    break
                name = str(PurePosixPath(name).parent / path.readlink())
                continue
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return os.fdopen(fd, "rb")
            os.close(fd)
            break
        raise BadParameter(f"invalid archive: it holds no file {name[:128]!r}")

    def read(self, name: str, limit: int) -> bytes:
        """Read a whole file of the archive. Raises BadParameter, also where it is longer than `limit`."""
        with self.open(name) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise BadParameter(f"invalid archive: {name[:128]!r} has more than {limit} bytes")
        return data

    def _inside(self, name: str) -> Path:
        """Find the place of a name. Raises BadParameter where a directory on the way is none, or it leads outside."""
        parts: list[str] = []
        leads_out = "\0" in name or name.startswith("/")
        for part in name.split("/"):
            if part == "..":
                leads_out = leads_out or not parts
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        if leads_out or not parts:
            raise BadParameter(f"invalid archive: {name[:128]!r} leads out of it")
        for depth in range(1, len(parts)):
            directory = self._root.joinpath(*parts[:depth])
            if directory.is_symlink() or not directory.is_dir():
                raise BadParameter(f"invalid archive: it holds no file {name[:128]!r}")
        return self._root.joinpath(*parts)
