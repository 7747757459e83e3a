"""`docker cp` and `docker export`: the engine's half. What touches the container's files runs in a process of its own.

That process (`archive_child.py`) sees the container's root and what is bound into it, whether or not the container
runs, and nothing of the host. Knows nothing of containers: the caller gives a `View`.
Source: Engine API, /containers/(id)/archive and /export.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runtime.containers.archive_input import plain
from runtime.containers.jail import Bind
from runtime.containers.wires import Pipe
from runtime.errors import BadParameter, EngineError, Forbidden, NotFound

STALL = 300.0
"""Seconds for which the process may say nothing and take nothing: a slow disk is waited for, no more."""

_ANSWERS_LIMIT = 64 * 1024
_LIBRARY = str(Path(__file__).parents[2])
_PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from runtime.containers.archive_child import main; main()"
_ENOENT, _ENOTDIR, _EROFS = 2, 20, 30


@dataclass(frozen=True, slots=True)
class View:
    """A container's file system: where its root is, what is bound into it, and how the user calls it.

    `mounted`: the root is a mount of its own; where it is none any more, the container has just ended.
    """

    root: Path
    binds: tuple[Bind, ...] = ()
    read_only: bool = False
    called: str = ""
    mounted: bool = False


@dataclass(frozen=True, slots=True)
class PathStat:
    """One file. `mode`: the kernel's bits; `mtime`: nanoseconds since 1970; `link_target`: a link's last target."""

    name: str
    size: int
    mode: int
    mtime: int
    link_target: str


def stat(view: View, path: str) -> PathStat:
    """Look at a file; a link is not followed, unless the path ends in a slash. Raises: NotFound, BadParameter."""
    with _Child(view, "stat", path) as child:
        found = child.stat()
        child.finish()
    return found


@contextmanager
def pack(view: View, path: str) -> Iterator[tuple[PathStat, "Source"]]:
    """Give a file, or a directory with all in it, as a tar named by the path's last part. Raises as `stat`."""
    with _Child(view, "pack", path, sends=True) as child:
        yield child.stat(), Source(child)


@contextmanager
def export(view: View) -> Iterator["Source"]:
    """Give the whole root as a tar, without what is bound into it."""
    with _Child(replace(view, binds=(), read_only=False), "export", "/", sends=True) as child:
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
    with _Child(view, "extract", path, takes=True, keeps_kinds=keeps_kinds, owner=owner) as child:
        for block in content:
            if not child.write(block):
                break
        child.finish()


class Source:
    """A tar as it comes. `pipe` is for who polls; `finish`, at its end, tells whether it is whole."""

    def __init__(self, child: "_Child") -> None:
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


class _Child:
    """The process, from its start to its last answer."""

    def __init__(
        self, view: View, action: str, path: str, *, sends: bool = False, takes: bool = False, **more: Any
    ) -> None:
        self._view = view
        self._path = path
        self._rest = b""
        request = {
            "action": action,
            "path": absolute(path),
            "root": str(view.root),
            "binds": [(bind.source, bind.destination, bind.read_only) for bind in view.binds],
            "read_only": view.read_only,
            "mounted": view.mounted,
            **more,
        }
        self._process = subprocess.Popen(
            (sys.executable, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, _LIBRARY, json.dumps(request)),
            stdin=subprocess.PIPE if takes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if sends else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            bufsize=0,
        )
        if self._process.stderr is None:
            raise AssertionError("a pipe was asked for")
        self._answers = self._process.stderr.fileno()
        self._input = Pipe(os.dup(self._process.stdin.fileno())) if self._process.stdin else None
        if self._process.stdin:
            self._process.stdin.close()

    def __enter__(self) -> "_Child":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        if self._input is not None:
            self._input.close()
        for end in (self._process.stdout, self._process.stderr):
            if end is not None:
                end.close()
        self._process.wait()

    def output(self) -> Pipe:
        """Return the tar that it writes; closed with the process."""
        if self._process.stdout is None:
            raise AssertionError("a pipe was asked for")
        return Pipe(self._process.stdout.fileno())

    def write(self, block: bytes) -> bool:
        """Hand over a part of a tar; False where the process has ended, and `finish` says why. Raises EngineError."""
        if self._input is None:
            raise AssertionError("a pipe was asked for")
        poll = select.poll()
        poll.register(self._input, select.POLLOUT)
        view = memoryview(block)
        while view:
            if not poll.poll(STALL * 1000):
                raise EngineError(f"the container's files are not written: no progress for {STALL:.0f} s")
            try:
                view = view[self._input.write(bytes(view[: 32 * 1024])) :]
            except BrokenPipeError:
                return False
            except BlockingIOError:
                continue
        return True

    def stat(self) -> PathStat:
        """Read the answer that says what the file is. Raises as `finish`."""
        found = self._answer().get("stat")
        if not isinstance(found, dict):
            raise EngineError("the process that copies files gave an answer that means nothing")
        return PathStat(found["name"], found["size"], found["mode"], found["mtime"], found["linkTarget"])

    def finish(self) -> None:
        """Wait for its last answer. Raises: NotFound, BadParameter, Forbidden, EngineError."""
        if self._input is not None:
            self._input.close()
        while not self._answer().get("done"):
            continue

    def _answer(self) -> dict[str, Any]:
        line = self._line()
        try:
            answer = json.loads(line)
        except ValueError:
            answer = {"detail": self._last_words(line)}
        if not isinstance(answer, dict) or not answer.keys() & {"stat", "done"}:
            raise self._problem(answer if isinstance(answer, dict) else {})
        return answer

    def _line(self) -> bytes:
        """Read one line of its answers, whatever it takes within `STALL`."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        limit = time.monotonic() + STALL
        while b"\n" not in self._rest and len(self._rest) < _ANSWERS_LIMIT:
            if not poll.poll(max(limit - time.monotonic(), 0) * 1000):
                raise EngineError(f"the container's files are not reached: no answer for {STALL:.0f} s")
            data = os.read(self._answers, _ANSWERS_LIMIT)
            if not data:
                break
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _last_words(self, line: bytes) -> str:
        """What a process said that broke down: a traceback's last line."""
        said = line
        with suppress(EngineError):
            while more := self._line():
                said = more
        return said.decode(errors="replace").strip() or "it said nothing"

    def _problem(self, answer: dict[str, Any]) -> EngineError:
        detail, number = str(answer.get("detail", "")), answer.get("errno")
        if number == _ENOENT:
            return NotFound(f"Could not find the file {self._path} in container {self._view.called}")
        if number == _ENOTDIR:
            return BadParameter(f"not a directory: {self._path}")
        if answer.get("problem") == "read-only" or number == _EROFS:
            return Forbidden(self._read_only(detail))
        if answer.get("problem") == "refused":
            return BadParameter(detail)
        return EngineError(f"the container's files cannot be copied: {detail}")

    def _read_only(self, target: str) -> str:
        inside = [bind for bind in self._view.binds if f"{target}/".startswith(f"{bind.destination.rstrip('/')}/")]
        return "mounted volume is marked read-only" if inside else "container rootfs is marked read-only"


def absolute(path: str) -> str:
    """Make a path absolute and clean as text, with the slash or dot at its end kept, which Docker gives a meaning.

    Raises: BadParameter.
    """
    if not path or "\0" in path:
        raise BadParameter("path cannot be empty")
    clean = os.path.normpath(f"/{path.lstrip('/')}")
    if path.endswith("/.") or path == ".":
        return clean.rstrip("/") + "/."
    return clean.rstrip("/") + "/" if path.endswith("/") else clean
