"""The bytes of a part on their way: in memory as long as a budget that all uploads share allows, else in a file.

The file has no name, so that nothing is left of it. A budget never makes anybody wait: many slow clients who hold
half a part each could keep one another waiting for ever.
"""

import hashlib
import mmap
import tempfile
import threading
from contextlib import suppress
from typing import IO

from storage.errors import translating

PIECE = 1 << 18
"""What a request sends at a time: it has to go out within the time limit."""
LARGE_PAGE = 1 << 21
"""The kernel's large pages: one fault in place of 512, which for a part cost more than hashing it by SHA-256."""
_BLOCK = 1 << 20


class Budget:
    """So many bytes of memory, for all uploads of a process together."""

    def __init__(self, size: int) -> None:
        """Have all of it free."""
        self.size = size
        self.used = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Take bytes if they are free."""
        with self._lock:
            if self.used + count > self.size:
                return False
            self.used += count
            return True

    def give(self, count: int) -> None:
        """Give bytes back."""
        with self._lock:
            self.used -= count


class Part:
    """Bytes that are collected, sent, perhaps more than once, and released. Not for two threads at once.

    Its memory is a mapping of its own, which the system has back at once: freed heap would stay with the process. Past
    the first 2 MiB, which small blobs do not fill, it grows by large pages where the kernel has them, and pays so.
    """

    def __init__(self, budget: Budget, capacity: int) -> None:
        """Begin with none; `capacity` is how many there may be."""
        self._budget = budget
        self._capacity = capacity
        self._memory: mmap.mmap | None = None
        self._file: IO[bytes] | None = None
        self.size = 0

    @property
    def in_memory(self) -> bool:
        """Whether the budget pays for it."""
        return self._file is None

    def append(self, data: memoryview) -> None:
        """Take more bytes. Raises StorageError if they fit neither in the budget nor on the disk."""
        if self._file is None and self._budget.take(self.price(len(data))):
            self._mapped().write(data)
        else:
            with translating("the temporary file of a part"):
                self._spilled().write(data)
        self.size += len(data)

    def price(self, count: int) -> int:
        """Say what so many more bytes would take of the budget."""
        return self._paid(self.size + count) - self._paid(self.size)

    def _paid(self, size: int) -> int:
        return size if size <= LARGE_PAGE else min(-(-size // LARGE_PAGE) * LARGE_PAGE, self._capacity)

    def _mapped(self) -> mmap.mmap:
        if self._memory is None:
            self._memory = _mapping(self._capacity)
        return self._memory

    def _spilled(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the part
            if self._memory is not None:
                self._file.write(self._memory[: self.size])
                self._free(self._memory)
        return self._file

    def body(self) -> "IO[bytes] | Body":
        """Give the bytes from the start, as something to be read in a request."""
        if self._file is None:
            return Body(self._mapped(), self.size)
        with translating("the temporary file of a part"):
            self._file.seek(0)
        return self._file

    def md5(self) -> bytes:
        """Hash the bytes as S3's Content-MD5 and ETag want it."""
        found = hashlib.md5(usedforsecurity=False)
        body = self.body()
        with translating("the temporary file of a part"):
            while block := body.read(_BLOCK):
                found.update(block)
        return found.digest()

    def release(self) -> None:
        """Free what it holds; may be called twice."""
        if self._memory is not None:
            self._free(self._memory)
        if self._file is not None:
            self._file.close()

    def _free(self, memory: mmap.mmap) -> None:
        self._budget.give(self._paid(self.size))
        memory.close()
        self._memory = None


def _mapping(size: int) -> mmap.mmap:
    """Map memory that is private, for the pages of a shared mapping are a file's and cost twice as much."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if size > LARGE_PAGE:
        with suppress(OSError):  # a kernel without large pages
            memory.madvise(mmap.MADV_NOHUGEPAGE, 0, LARGE_PAGE)
            memory.madvise(mmap.MADV_HUGEPAGE, LARGE_PAGE)
    return memory


class Body:
    """Memory that is read like a file: sent in pieces, each within the time limit, and from the start again."""

    def __init__(self, memory: mmap.mmap, size: int) -> None:
        """Read the first `size` bytes."""
        self._memory = memory
        self._size = size
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """Give the next bytes, or all that are left; more than were asked for, where that saves system calls."""
        end = self._size if size < 0 else min(self._position + max(size, PIECE), self._size)
        piece = self._memory[self._position : end]
        self._position += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, counted as files count it."""
        start = (0, self._position, self._size)[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Say where that is."""
        return self._position
