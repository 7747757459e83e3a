"""Content by its digest: configs, manifests, and the compressed layers that are kept. Bytes, and no meaning.

A blob is checked, synced and then renamed to its name: who sees it sees all of it, also after a power cut. A partial
blob is kept under the digest it is to have, so that a later attempt goes on where this one broke off.
"""

import fcntl
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from runtime.errors import EngineError, NotFound
from storage import durable
from storage.digest import ALGORITHMS, Digest
from storage.hashing import Hasher

BLOCK = 2**20
WRITEBACK = 8 * 2**20
PARTIAL_KEPT = 7 * 86400
"""Seconds for which a broken-off download waits for its next attempt."""

_FICLONE = 0x40049409  # <linux/fs.h>


class WrongContent(EngineError):
    """The bytes are not those of the digest, or not as many as were announced. Nothing of them is kept."""


class Content:
    """The blobs below one directory. Safe from any thread."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._arriving = root / "ingest"
        self._lock = threading.Lock()
        self._writing: set[str] = set()
        for directory in (self._arriving, *(self._blobs / algorithm for algorithm in ALGORITHMS)):
            durable.make_directory(directory, root.parent)
        self.sweep()

    def path(self, digest: Digest) -> Path:
        """Return where a blob is, or would be."""
        return self._blobs / digest.algorithm / digest.encoded

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob is here."""
        return self.path(digest).is_file()

    def size(self, digest: Digest) -> int:
        """Return a blob's bytes. Raises NotFound."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise _missing(digest) from None

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob to be read. Raises NotFound."""
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise _missing(digest) from None

    def read(self, digest: Digest, limit: int) -> bytes:
        """Read a whole blob of at most `limit` bytes. Raises: NotFound; WrongContent where it is longer or damaged."""
        with self.open(digest) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise WrongContent(f"{digest} has more than {limit} bytes")
        if Digest.of(data, digest.algorithm) != digest:
            raise WrongContent(f"{self.path(digest)} is damaged; pull the image again")
        return data

    def blocks(self, digest: Digest, size: int = BLOCK) -> Iterator[bytes]:
        """Give a blob's bytes in blocks. Raises NotFound at the first."""
        with self.open(digest) as file:
            while block := file.read(size):
                yield block

    def ingest(self, digest: Digest | None = None) -> "Ingest":
        """Begin to take a blob in; where its digest is known, go on with what an earlier attempt left."""
        name = secrets.token_hex(16)
        with self._lock:
            if digest is not None and f"{digest.algorithm}-{digest.encoded}" not in self._writing:
                name = f"{digest.algorithm}-{digest.encoded}"
            self._writing.add(name)
        try:
            return Ingest(self, self._arriving / name, digest)
        except BaseException:
            self.closed(name)
            raise

    def add(self, data: bytes, digest: Digest | None = None) -> Digest:
        """Take bytes in that are in memory. Raises WrongContent."""
        if digest is not None and Digest.of(data, digest.algorithm) != digest:
            raise WrongContent(f"the content is not that of {digest}")
        with self.ingest() as ingest:
            ingest.write(data)
            return ingest.commit(digest)

    def link(self, digest: Digest, source: BinaryIO) -> bool:
        """Take a blob in from an open file of this machine: by a hard link, by sharing its blocks, or by copying.

        The bytes are NOT checked here: who unpacks them does (`Layers.unpack`), or `read`. The file itself is never
        written to, and a link never changes its mode or owner. Returns True where it is a link.
        """
        target = self.path(digest)
        if target.is_file():
            return False
        fresh = self._arriving / secrets.token_hex(16)
        try:
            linked = _linked(source, fresh)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
        durable.sync_directory(target.parent)
        return linked

    def remove(self, digest: Digest) -> int:
        """Remove a blob, if it is here; returns the bytes that this gives back (none for a link to another's file)."""
        path = self.path(digest)
        with suppress(FileNotFoundError):
            status = path.stat()
            path.unlink()
            return status.st_size if status.st_nlink == 1 else 0
        return 0

    def digests(self) -> Iterator[tuple[Digest, float]]:
        """Give every blob, with the moment (seconds since 1970) at which it came."""
        for algorithm in ALGORITHMS:
            with os.scandir(self._blobs / algorithm) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError, ValueError):
                        yield Digest.parse(f"{algorithm}:{entry.name}"), entry.stat().st_ctime

    def total(self) -> int:
        """Count the bytes of all blobs, without those that are links to another's files."""
        found = 0
        for digest, _ in self.digests():
            with suppress(FileNotFoundError):
                status = self.path(digest).stat()
                found += status.st_size if status.st_nlink == 1 else 0
        return found

    def sweep(self) -> None:
        """Remove what a killed engine left of blobs on their way in, but those whose download may be resumed."""
        with self._lock:
            busy = set(self._writing)
        for path in self._arriving.iterdir():
            with suppress(FileNotFoundError):
                fresh = time.time() - path.stat().st_mtime < PARTIAL_KEPT
                if path.name not in busy and not (fresh and "-" in path.name):
                    path.unlink()

    def closed(self, name: str) -> None:
        """Note that nobody writes a partial blob any more; called by `Ingest`."""
        with self._lock:
            self._writing.discard(name)


class Ingest:
    """One blob on its way in: `write` its bytes in order, then `commit`. As a context, what is not committed is kept
    for the next attempt where the digest is known, and removed where it is not.
    """

    def __init__(self, content: Content, path: Path, digest: Digest | None) -> None:
        self._content = content
        self._path = path
        self._digest = digest
        self._hashing = Hasher(digest.algorithm if digest else "sha256")
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._open = True
        self.offset = 0
        """Bytes that are here; a resumed download asks for what comes after them."""
        self._started = 0
        try:
            while block := os.read(self._fd, BLOCK):
                self._hashing.update(block)
                self.offset += len(block)
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._digest is None:
            self.abort()
        self.suspend()

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes. Raises OSError."""
        durable.write_all(self._fd, memoryview(data))
        self._hashing.update(data)
        self.offset += len(data)
        if self.offset - self._started >= WRITEBACK:
            durable.start_writeback(self._fd, self._started, self.offset - self._started)
            self._started = self.offset

    def kept(self) -> Iterator[bytes]:
        """Give the bytes that an earlier attempt left, in blocks, to who unpacks while it downloads."""
        position, end = 0, self.offset
        while position < end:
            block = os.pread(self._fd, min(BLOCK, end - position), position)
            if not block:
                return
            position += len(block)
            yield block

    def restart(self) -> None:
        """Forget the bytes: the source cannot go on in the middle."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hashing = Hasher(self._hashing.algorithm)
        self.offset = self._started = 0

    def commit(self, digest: Digest | None = None, size: int | None = None) -> Digest:
        """Check the bytes, make them durable and give them their name.

        Args:   digest: what they must have, beside the one that `ingest` was told; size: how many there must be.
        Raises: WrongContent, and the bytes are gone; OSError.
        """
        found = self._hashing.digest()
        for expected in (digest, self._digest):
            if expected is not None and expected.algorithm == found.algorithm and expected != found:
                self.abort()
                raise WrongContent(f"the content is that of {found}, not of {expected}")
        if size is not None and size != self.offset:
            self.abort()
            raise WrongContent(f"{found} has {self.offset} bytes, not {size}")
        os.fsync(self._fd)
        target = self._content.path(found)
        self._path.replace(target)
        durable.sync_directory(target.parent)
        self.suspend()
        return found

    def suspend(self) -> None:
        """Close, and keep the bytes for a later attempt. Harmless at any time."""
        if self._open:
            self._open = False
            os.close(self._fd)
            self._content.closed(self._path.name)

    def abort(self) -> None:
        """Close and remove the bytes. Harmless at any time."""
        if self._open:
            self._path.unlink(missing_ok=True)
            self.suspend()


def _linked(source: BinaryIO, target: Path) -> bool:
    """Link, or else copy, an open file; by its descriptor, so that its name may change meanwhile."""
    directory = os.open(target.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # With a descriptor Python calls linkat(AT_SYMLINK_FOLLOW), which links an open file (open(2), O_TMPFILE).
        os.link(f"/proc/self/fd/{source.fileno()}", target.name, dst_dir_fd=directory, follow_symlinks=True)
        return True
    except OSError:
        pass  # another file system, or another user's file
    finally:
        os.close(directory)
    with os.fdopen(_private(target), "wb") as copy:
        try:
            fcntl.ioctl(copy, _FICLONE, source.fileno())
        except OSError:
            shutil.copyfileobj(source, copy, BLOCK)
        copy.flush()
        os.fsync(copy.fileno())
    return False


def _private(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _missing(digest: Digest) -> NotFound:
    return NotFound(f"content digest {digest}: not found")
