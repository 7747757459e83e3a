"""An upload on a file system: one private file under uploads/, locked while it is open, linked when it is done.

The name under uploads/ stays until the caller has committed its own row and calls `abort`; until then the second link
says how far a commit went, and a file with two links is never changed again. What is written but not yet durable is
undone when the writer closes, or else by the next `resume`. Knows no hash and no key: `publish` is the driver's.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

from storage import durable
from storage.digest import Digest
from storage.errors import Busy, NotFound, Unavailable, Unsettled, translating

BLOCK = 1 << 20
_WRITEBACK = 8 << 20
_logger = logging.getLogger(__name__)

Admit = Callable[[int], int]
"""Given the bytes about to be written, says how many may be before it is asked again. Raises: Full."""

Publish = Callable[[Path, Digest], str]
"""Links a finished file under its key, durably, and returns the key. Raises: OSError."""


def open_locked(path: Path, flags: int = 0) -> int:
    """Open an upload's file and hold it against every other writer. Raises: Busy; OSError."""
    while True:
        fd = os.open(path, flags | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        held = False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = _is_named(fd, path)
        except BlockingIOError:
            raise Busy(f"another writer holds upload {path.name}") from None
        finally:
            if not held:
                os.close(fd)
        if held:
            return fd
        # whoever held it has removed it between our open and our lock: look again


def _is_named(fd: int, path: Path) -> bool:
    """Say whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False


class FileWriter:
    """The open writer of one upload (Writer and ReadBack of `storage.driver`)."""

    def __init__(self, path: Path, admit: Admit, publish: Publish) -> None:
        """Begin with nothing: the file comes with the first byte."""
        self._path = path
        self._admit = admit
        self._publish = publish
        self._fd: int | None = None
        self._offset = 0
        self._durable = 0  # bytes that a power cut leaves
        self._clean = False  # whether the file is as it was when last synced
        self._named = False  # whether a power cut leaves the name
        self._shared = False  # whether a key has the same file
        self._committed = False  # whether one has it through us
        self._admitted = 0
        self._sent = 0  # bytes whose way to the disk has begun

    @classmethod
    def resume(cls, path: Path, where: Callable[[], tuple[int, bytes]], admit: Admit, publish: Publish) -> "FileWriter":
        """Hold what an earlier writer left, ask where it stood, and go back to there.

        What came before any byte can be made again, so a missing file is made and found to be too short.
        """
        writer = cls(path, admit, publish)
        with translating(f"upload {path.name}"):
            writer._fd = open_locked(path, os.O_CREAT)
        try:
            offset, _ = where()
            with translating(f"upload {path.name}"):
                writer._go_back_to(writer._fd, offset)
        except BaseException:
            writer._attempt(partial(writer._remove_if_made, writer._fd))
            writer._release(writer._fd)
            raise
        return writer

    def _remove_if_made(self, fd: int) -> None:
        """Leave no file where there was none; an empty one can always be made again, unless a key has it."""
        status = os.fstat(fd)
        if status.st_size == 0 and status.st_nlink == 1:
            self._path.unlink()

    def _go_back_to(self, fd: int, offset: int) -> None:
        status = os.fstat(fd)
        self._shared = status.st_nlink > 1
        if status.st_size < offset:
            raise NotFound(f"upload {self._path.name}")
        if status.st_size > offset:
            self._refuse_if_shared()
            os.ftruncate(fd, offset)
        os.lseek(fd, offset, os.SEEK_SET)
        self._clean = status.st_size == offset > 0 or self._shared
        self._offset = self._durable = self._sent = offset
        self._named = offset > 0

    def write(self, data: memoryview) -> None:
        """Append bytes."""
        with translating(f"upload {self._path.name}"):
            self._refuse_if_shared()
            if self._admitted < len(data):
                self._admitted = self._admit(len(data))
            fd = self._opened()
            self._clean = False
            durable.write_all(fd, data)
            self._admitted -= len(data)
            self._offset += len(data)
            if self._offset - self._sent >= _WRITEBACK:
                durable.start_writeback(fd, self._sent, self._offset - self._sent)
                self._sent = self._offset

    def checkpoint(self) -> bytes:
        """Make every byte durable; the file itself is all the state there is."""
        if self._fd is not None:
            with translating(f"upload {self._path.name}"):
                self._sync(self._fd)
                self._sync_name()
        return b""

    def commit(self, digest: Digest) -> str:
        """Make the bytes and then a key for them durable, in the order that a power cut cannot turn round."""
        with translating(f"upload {self._path.name}"):
            fd = self._opened()
            self._sync(fd)
            if os.fstat(fd).st_size != self._offset:
                raise Unavailable(f"upload {self._path.name}: the file is not as long as what was written")
            self._shared = True  # from here on a key may have it
            key = self._publish(self._path, digest)
            self._committed = True
            return key

    def read_back(self) -> Generator[bytes, None, None]:
        """Yield everything written so far."""
        with translating(f"upload {self._path.name}"):
            position = 0
            while position < self._offset:
                block = os.pread(self._opened(), min(BLOCK, self._offset - position), position)
                if not block:
                    raise Unavailable(f"upload {self._path.name}: the file is shorter than what was written")
                position += len(block)
                yield block

    def abort(self) -> None:
        """Remove the upload's name and release it."""
        if self._fd is not None:
            self._attempt(partial(self._remove, self._fd))
            self._release(self._fd)

    def _remove(self, fd: int) -> None:
        """Remove the name, unless an earlier commit left a key that only `settle` can find, and only by this name."""
        if os.fstat(fd).st_nlink <= 1 + self._committed:
            self._path.unlink()

    def close(self) -> None:
        """Release the upload as it was when last durable; bytes that may be published are left alone."""
        if self._fd is not None:
            if not self._clean:  # what a key has is always clean
                self._attempt(partial(self._undo, self._fd))
            self._release(self._fd)

    def _undo(self, fd: int) -> None:
        """Give back the space of what nobody can resume. Nothing depends on it: `resume` would do it too."""
        if self._durable:
            os.ftruncate(fd, self._durable)
        else:
            self._path.unlink()

    def _opened(self) -> int:
        if self._fd is None:
            try:
                self._fd = open_locked(self._path, os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                raise Busy(f"upload {self._path.name} was begun by another writer") from None
        return self._fd

    def _sync(self, fd: int) -> None:
        """Make the bytes durable."""
        if not self._clean:
            self._finally(partial(os.fsync, fd))
            self._durable = self._offset
            self._clean = True

    def _sync_name(self) -> None:
        """Make the name durable, by which a later process finds the bytes; a commit has the key for that."""
        if not self._named:
            self._finally(partial(durable.sync_directory, self._path.parent))
            self._named = True

    def _finally(self, step: Callable[[], None]) -> None:
        """Do what cannot be tried again: after a failure nobody knows what is on the disk, so the file goes."""
        try:
            step()
        except OSError:
            self.abort()
            raise

    def _refuse_if_shared(self) -> None:
        if self._shared:
            raise Unsettled(f"an earlier commit of upload {self._path.name} has published its bytes")

    def _release(self, fd: int) -> None:
        self._fd = None
        self._attempt(partial(os.close, fd))

    def _attempt(self, step: Callable[[], None]) -> None:
        """Do what the caller need not wait for: what is left over is found by the sweep of uploads."""
        try:
            step()
        except OSError as error:
            _logger.warning("upload %s could not be cleaned up: %s", self._path.name, error)
