"""The engine's side of the process that touches a container's files: what it is asked, its answers, its end.

It sees the container's root and what is bound into it, whether or not the container runs, and nothing of the host; see
`archive_child.py` for the other side.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.containers.archives.jail import Bind
from runtime.containers.streams.wires import Pipe
from runtime.errors import BadParameter, EngineError, Forbidden, NotFound

STALL = 300.0
"""Seconds for which the process may say nothing and take nothing: a slow disk is waited for, no more."""

PATH_LIMIT = 4095

_ANSWERS_LIMIT = 64 * 1024
_LIBRARY = str(Path(__file__).parents[3])
_PROGRAM = (
    "import sys; sys.path.append(sys.argv.pop(1)); from runtime.containers.archives.archive_child import main; main()"
)
_ENOENT, _ENOTDIR, _EROFS = 2, 20, 30


@dataclass(frozen=True, slots=True)
class View:
    """A container's file system: where its root is, what is bound into it, and how the user calls it.

    `mounted`: the root is a mount of its own; where it is none any more, the container has just ended. `rootless`: we
    are an ordinary user's engine.
    """

    root: Path
    binds: tuple[Bind, ...] = ()
    read_only: bool = False
    called: str = ""
    mounted: bool = False
    rootless: bool = False


@dataclass(frozen=True, slots=True)
class PathStat:
    """One file. `mode`: the kernel's bits; `mtime`: nanoseconds since 1970; `link_target`: a link's last target."""

    name: str
    size: int
    mode: int
    mtime: int
    link_target: str


class Child:
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
            "rootless": view.rootless,
            **more,
        }
        with _written(request) as asked:
            self._process = subprocess.Popen(
                (sys.executable, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, _LIBRARY, str(asked)),
                stdin=subprocess.PIPE if takes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if sends else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                bufsize=0,
                pass_fds=(asked,),
            )
        if self._process.stderr is None:
            raise AssertionError("a pipe was asked for")
        self._answers = self._process.stderr.fileno()
        self._input = Pipe(os.dup(self._process.stdin.fileno())) if self._process.stdin else None
        if self._process.stdin:
            self._process.stdin.close()

    def __enter__(self) -> "Child":
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


@contextmanager
def _written(request: dict[str, Any]) -> Iterator[int]:
    """Lend a file in memory that holds the request: a container may have more mounts than an argument has room."""
    fd = os.memfd_create("request", os.MFD_CLOEXEC)
    try:
        os.write(fd, json.dumps(request).encode())
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


def absolute(path: str) -> str:
    """Make a path absolute and clean as text, with the slash or dot at its end kept, which Docker gives a meaning.

    Raises: BadParameter.
    """
    if not path or "\0" in path:
        raise BadParameter("path cannot be empty")
    if len(path) > PATH_LIMIT:
        raise BadParameter("file name too long")
    clean = os.path.normpath(f"/{path.lstrip('/')}")
    if path.endswith("/.") or path == ".":
        return clean.rstrip("/") + "/."
    return clean.rstrip("/") + "/" if path.endswith("/") else clean
