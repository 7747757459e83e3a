"""Puts a tar into a directory of the file system that this process is locked into: `docker cp` in.

Part of the program that `archive_child.py` is. Entries are made by the rules of layers (`images.unpack_entries`): a
name is never followed out, what is in a file's way is removed, not written through. Here there are no whiteouts, and
the directory itself stays as it is. Source: Engine API, PUT /containers/(id)/archive.
"""

import os
import stat
import tarfile
from dataclasses import dataclass

from runtime.images.unpack_entries import Layer
from runtime.images.unpack_input import Input, Refused, clean

_WHITEOUT = ".wh."
_NO_LIMIT = 2**62


@dataclass(frozen=True, slots=True)
class Rules:
    """How to put things there.

    `keeps_kinds`: a directory never replaces a file, nor a file a directory; `owner`: of all, in place of the tar's;
    `rootless`: what only the machine's root may make is left out.
    """

    keeps_kinds: bool
    owner: tuple[int, int] | None
    rootless: bool


class Copy:
    """Entries on their way into the current directory."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._layer = Layer("user.overlay." if rules.rootless else "trusted.overlay.", _NO_LIMIT, _NO_LIMIT)

    def add(self, member: tarfile.TarInfo, source: Input) -> None:
        """Make what one header asks for. Raises: Refused, OSError."""
        path = clean(member.name)
        if not path:
            return
        if any(part.startswith(_WHITEOUT) for part in path.split("/")):
            raise Refused(f"{path!r} begins with {_WHITEOUT}, which marks removed files in images")
        if self._rules.keeps_kinds:
            _check_kind(path, member)
        if self._rules.owner is not None:
            member.uid, member.gid = self._rules.owner
        self._layer.add(member, source)

    def finish(self) -> None:
        """Give directories their times."""
        self._layer.finish()


def _check_kind(path: str, member: tarfile.TarInfo) -> None:
    try:
        directory = stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return
    if directory and not member.isdir():
        raise Refused(f"cannot overwrite directory {path!r} with non-directory")
    if member.isdir() and not directory:
        raise Refused(f"cannot overwrite non-directory {path!r} with directory")
