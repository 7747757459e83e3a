"""Unpacking one layer: decompress and hash here, make files in a process that is locked into the directory.

The tar of a layer is the most hostile thing that an engine reads. Nothing of it is interpreted in this process; see
`unpack_child.py` for the other half. What is unpacked means nothing until its diff ID has been compared.
"""

import fcntl
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import EngineError
from runtime.images.compression import Compression, unpacked
from storage.digest import Digest
from storage.hashing import Hasher

STALL = 300.0
"""Seconds for which the process may take nothing from the pipe: a slow disk is waited for, an endless loop is not."""
PIPE = 2**20

_SAID = 500

_LIBRARY = str(Path(__file__).parents[2])
_PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from runtime.images.unpack_child import main; main()"


class BadLayer(EngineError):
    """The archive is damaged, or holds what no layer may hold. Nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one layer may take: entries of its tar, and bytes, of the tar and of its files each."""

    entries: int
    size: int


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out. `size`: bytes of the files; `tar_size`, `diff_id`: bytes and digest of the uncompressed tar."""

    size: int
    entries: int
    tar_size: int
    diff_id: Digest
    compression: Compression


Progress = Callable[[int], None]
"""Told how many bytes of the uncompressed tar are unpacked so far."""


def room(directory: Path) -> Limits:
    """Give limits that leave a tenth of a file system free, whatever a layer claims to hold."""
    free = os.statvfs(directory)
    entries = free.f_favail * 9 // 10 if free.f_files else 10**9  # btrfs counts no inodes
    return Limits(min(entries, 5_000_000), free.f_bavail * free.f_frsize * 9 // 10)


def unpack(
    blocks: Iterator[bytes],
    target: Path,
    limits: Limits,
    *,
    userxattr: bool = False,
    algorithm: str = "sha256",
    feed: Progress | None = None,
) -> Unpacked:
    """Unpack a compressed or plain layer into an empty directory.

    Args:   userxattr: mark opaque directories for an overlay without root (mount option `userxattr`).
            algorithm: of the diff ID that is computed; the caller compares it.
    Raises: BadLayer, and what reading `blocks` raises; what was unpacked until then is left to the caller to remove.
    """
    compression, content = unpacked(blocks)
    hasher = Hasher(algorithm)
    fed = 0
    with _Child(target, limits, "user.overlay." if userxattr else "trusted.overlay.") as child:
        for block in content:
            fed += len(block)
            if fed > limits.size + limits.entries * 1024:
                raise BadLayer("the layer is larger than the room that is left for it")
            hasher.update(block)
            if not child.write(block):
                break
            if feed is not None:
                feed(fed)
        size, entries = child.finish()
    return Unpacked(size, entries, fed, hasher.digest(), compression)


class _Child:
    """The process, from its start to its answer."""

    def __init__(self, target: Path, limits: Limits, namespace: str) -> None:
        interpreter = (sys.executable, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, _LIBRARY)
        self._process = subprocess.Popen(
            (*interpreter, str(target), namespace, str(limits.entries), str(limits.size)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            bufsize=0,
        )
        if self._process.stdin is None:
            raise AssertionError("a pipe was asked for")
        self._pipe = self._process.stdin
        fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE)
        os.set_blocking(self._pipe.fileno(), False)
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLOUT)

    def __enter__(self) -> "_Child":
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        if self._process.poll() is None:
            self._process.kill()
        for end in (self._process.stdout, self._process.stderr):
            if end is not None:
                end.close()
        self._process.wait()

    def write(self, block: bytes) -> bool:
        """Hand a block over; False where the process has ended, and `finish` says why."""
        view = memoryview(block)
        try:
            while view:
                if not self._poll.poll(STALL * 1000):
                    raise BadLayer(f"the layer could not be unpacked: no progress for {STALL:.0f} s")
                view = view[self._pipe.write(view) or 0 :]
        except BrokenPipeError:
            return False
        return True

    def finish(self) -> tuple[int, int]:
        """Wait for the answer: bytes and entries. Raises BadLayer."""
        self._pipe.close()
        self._process.stdin = None
        try:
            answer, said = self._process.communicate(timeout=STALL)
        except subprocess.TimeoutExpired:
            raise BadLayer(f"the layer could not be unpacked: no end for {STALL:.0f} s") from None
        verdict, _, detail = answer.decode().partition(" ")
        if verdict == "unpacked" and self._process.returncode == 0:
            size, entries = detail.split()
            return int(size), int(entries)
        if verdict == "refused":
            raise BadLayer(f"the layer was refused: {detail[:_SAID]}")
        if verdict == "failed":
            raise BadLayer(f"failed to register layer: {detail[:1].lower()}{detail[1:_SAID]}")
        reason = said.decode(errors="replace").strip().rpartition("\n")[2] or f"status {self._process.returncode}"
        raise BadLayer(f"the layer could not be unpacked: {reason}")
