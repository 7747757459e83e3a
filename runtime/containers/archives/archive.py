"""`docker cp` and `docker export`: a container's files as tars, out and in.

Nothing here touches them: a process of its own does (`archive_process`). Knows nothing of containers: the caller gives
a `View`. Source: Engine API, /containers/(id)/archive and /export.
"""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from runtime.containers.archives.archive_input import plain
from runtime.containers.archives.archive_process import STALL, Child, PathStat, View
from runtime.errors import EngineError


def stat(view: View, path: str) -> PathStat:
    """Look at a file; a link is not followed, unless the path ends in a slash. Raises: NotFound, BadParameter."""
    with Child(view, "stat", path) as child:
        found = child.stat()
        child.finish()
    return found


@contextmanager
def pack(view: View, path: str) -> Iterator[tuple[PathStat, "Source"]]:
    """Give a file, or a directory with all in it, as a tar named by the path's last part. Raises as `stat`."""
    with Child(view, "pack", path, sends=True) as child:
        yield child.stat(), Source(child)


@contextmanager
def export(view: View) -> Iterator["Source"]:
    """Give the whole root as a tar, without what is bound into it."""
    with Child(replace(view, binds=(), read_only=False), "export", "/", sends=True) as child:
        yield Source(child)


def extract(
    view: View, path: str, blocks: Iterator[bytes], *, keeps_kinds: bool, owner: tuple[int, int] | None = None
) -> None:
    """Put a tar, plain or compressed, into a directory, links to it followed.

    Args:   keeps_kinds: refuse to replace a directory by a file, or a file by a directory.
            owner: of everything, in place of the tar's.
    Raises: NotFound, BadParameter, Forbidden (read-only); what reading `blocks` raises. What came before stays.
    """
    content = plain(blocks)
    with Child(view, "extract", path, takes=True, keeps_kinds=keeps_kinds, owner=owner) as child:
        for block in content:
            if not child.write(block):
                break
        child.finish()


class Source:
    """A tar as it comes. `pipe` is for who polls; `finish`, at its end, tells whether it is whole."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.pipe = child.output()

    def finish(self) -> None:
        """Raises EngineError where the tar was cut short."""
        self._child.finish()

    def blocks(self) -> Iterator[bytes]:
        """Read it all, for who waits. Raises as `finish`."""
        poll = select.poll()
        poll.register(self.pipe, select.POLLIN)
        while True:
            if not poll.poll(STALL * 1000):
                raise EngineError(f"the container's files are not read: no progress for {STALL:.0f} s")
            piece = self.pipe.read()
            if piece is None:
                break
            yield piece[1]
        self.finish()
