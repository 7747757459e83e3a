"""A driver in memory that behaves like S3, so that an API which S3 could not meet fails in unit tests.

An upload is a list of parts, each of a minimum size but the last; its bytes cannot be read before the commit; what is
too short for a part is kept as an object of its own while the upload is suspended; the key is blobs/<upload id>,
whatever the digest. For tests and trials: everything is gone with the process.
"""

import struct
import threading
from collections.abc import Callable, Generator, Iterator

from storage.digest import Digest
from storage.driver import Health, Writer
from storage.errors import Busy, NotFound, Unavailable, Unsettled

_PART_SIZE = 5 << 20
_BLOCK = 1 << 20
_STATE = struct.Struct(">I")  # the number of parts


class MemoryDriver:
    """Driver on dictionaries."""

    def __init__(self, *, part_size: int = _PART_SIZE) -> None:
        """Start empty; every part but the last has `part_size` bytes."""
        self.part_size = part_size
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, list[bytes]] = {}
        self.tails: dict[str, dict[int, bytes]] = {}  # upload -> offset of a suspend -> the bytes that made no part
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, upload_id: str) -> Writer:
        """Open a new upload."""
        self.hold(upload_id)
        return MemoryWriter(self, upload_id, 0, b"")

    def resume(self, upload_id: str, where: Callable[[], tuple[int, bytes]]) -> Writer:
        """Go on with the parts that were there, and take what made no part from its own object."""
        self.hold(upload_id)
        try:
            offset, state = where()
            return MemoryWriter(self, upload_id, offset, self._tail_at(upload_id, offset, state))
        except BaseException:
            self.let_go(upload_id)
            raise

    def _tail_at(self, upload_id: str, offset: int, state: bytes) -> bytes:
        """Undo the parts that came after `offset` and return the bytes before it that are in no part."""
        if (whole := self.objects.get(_key(upload_id))) is not None:
            if len(whole) != offset:
                raise Unsettled(f"an earlier commit of upload {upload_id} has published its bytes")
            return b""
        count = _STATE.unpack(state)[0] if offset else 0
        parts = self.parts.get(upload_id, [])
        tail = self.tails.get(upload_id, {}).get(offset, b"")
        del parts[count:]
        if sum(map(len, parts)) + len(tail) != offset:
            raise NotFound(f"upload {upload_id}")
        return tail

    def discard(self, upload_id: str, state: bytes | None) -> None:
        """Forget the parts."""
        self.hold(upload_id)
        self.forget(upload_id)
        self.let_go(upload_id)

    def settle(self, upload_id: str, known: Callable[[str], bool]) -> tuple[str, ...]:
        """Ask about the one key that the upload can have."""
        key = _key(upload_id)
        self.hold(upload_id)
        try:
            if key not in self.objects:
                return ()
            if known(key):
                return (key,)
            del self.objects[key]
            return ()
        finally:
            self.let_go(upload_id)

    def uploads(self) -> Iterator[str]:
        """Name the uploads that have parts or a tail."""
        return iter([*self.parts, *(self.tails.keys() - self.parts.keys())])

    def stat(self, key: str) -> int:
        """Return the object's size."""
        return len(self._object(key))

    def read(self, key: str, start: int, stop: int | None) -> Generator[bytes, None, None]:
        """Yield a range of the object."""
        return _blocks(key, self._object(key), start, stop)

    def delete(self, key: str) -> None:
        """Forget the object."""
        self.objects.pop(key, None)

    def health(self) -> Health:
        """Report that all is well, with room unknown."""
        return Health(True, None, None)

    def _object(self, key: str) -> bytes:
        try:
            return self.objects[key]
        except KeyError:
            raise NotFound(key) from None

    def hold(self, upload_id: str) -> None:
        """Keep every other writer away from an upload. Raises: Busy."""
        with self._lock:
            if upload_id in self._held:
                raise Busy(f"another writer holds upload {upload_id}")
            self._held.add(upload_id)

    def let_go(self, upload_id: str) -> None:
        """Let others have the upload."""
        self._held.discard(upload_id)

    def forget(self, upload_id: str) -> None:
        """Drop all that an upload has for itself."""
        self.parts.pop(upload_id, None)
        self.tails.pop(upload_id, None)


class MemoryWriter:
    """The open writer of one upload."""

    def __init__(self, driver: MemoryDriver, upload_id: str, offset: int, tail: bytes) -> None:
        """Made by MemoryDriver, which holds the upload for it."""
        self._driver = driver
        self._upload_id = upload_id
        self._offset = offset
        self._tail = bytearray(tail)
        self._held = True

    def write(self, data: memoryview) -> None:
        """Collect bytes until they make a part."""
        if _key(self._upload_id) in self._driver.objects:
            raise Unsettled(f"an earlier commit of upload {self._upload_id} has published its bytes")
        self._tail += data
        self._offset += len(data)
        size = self._driver.part_size
        while len(self._tail) >= size:
            self._parts().append(bytes(self._tail[:size]))
            del self._tail[:size]

    def checkpoint(self) -> bytes:
        """Keep what makes no part yet as an object of its own."""
        if self._tail:
            self._driver.tails.setdefault(self._upload_id, {})[self._offset] = bytes(self._tail)
        count = len(self._driver.parts.get(self._upload_id, ()))
        return _STATE.pack(count)

    def commit(self, digest: Digest) -> str:
        """Join the parts, the last of which may be short, into the object."""
        key = _key(self._upload_id)
        if key not in self._driver.objects:
            self._driver.objects[key] = b"".join([*self._driver.parts.pop(self._upload_id, ()), self._tail])
        return key

    def abort(self) -> None:
        """Forget the upload, if it is still ours."""
        if self._held:
            self._driver.forget(self._upload_id)
        self.close()

    def close(self) -> None:
        """Let others have the upload."""
        if self._held:
            self._held = False
            self._driver.let_go(self._upload_id)

    def _parts(self) -> list[bytes]:
        return self._driver.parts.setdefault(self._upload_id, [])


def _key(upload_id: str) -> str:
    return f"blobs/{upload_id}"


def _blocks(key: str, data: bytes, start: int, stop: int | None) -> Generator[bytes, None, None]:
    end = len(data) if stop is None else stop
    while start < end:
        block = data[start : min(start + _BLOCK, end)]
        if not block:
            raise Unavailable(f"{key}: the object ends at {start}, {end - start} bytes too early")
        start += len(block)
        yield block
