"""The driver for a local file system.

    ROOT/uploads/<upload id>                     an upload: one file, mode 0600, held by flock while a writer is open
    ROOT/blobs/<algorithm>/<ab>/<hex>.<id>       a key: the same file, linked there when the upload is committed

Commit order (each step is on the disk before the next): the file's bytes, the shard directory and its parents, the
link, which gives the key. Knows digests as names only; it neither hashes nor compares, except to find the key of a
commit that was cut short.
"""

import errno
import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path

from storage import durable
from storage.digest import ALGORITHMS, Digest
from storage.driver import Health, Writer
from storage.errors import Unavailable, finding, translating
from storage.hashing import Hasher
from storage.reserve import MOST, Reserve
from storage.upload import BLOCK, FileWriter, open_locked

_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_NO_PROBE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})


class FilesystemDriver:
    """Driver and LocalPath on a directory that `storage.layout` has made."""

    def __init__(self, root: Path, *, reserve: int = MOST) -> None:
        """Use `root`, leaving free the smaller of `reserve` bytes and 5 % of its file system."""
        self._root = root
        self._uploads = root / "uploads"
        self._reserve = Reserve(root, reserve)
        self._known_shards: set[Path] = set()  # those whose parents this process has synced

    def begin(self, upload_id: str) -> Writer:
        """Open a new upload; only the free space is looked at."""
        with translating(f"upload {upload_id}"):
            self._reserve.admit(0)
        return FileWriter(self._uploads / upload_id, self._reserve.admit, self._publish)

    def resume(self, upload_id: str, where: Callable[[], tuple[int, bytes]]) -> Writer:
        """Go on with the file as it was."""
        with translating(f"upload {upload_id}"):
            self._reserve.admit(0)
        return FileWriter.resume(self._uploads / upload_id, where, self._reserve.admit, self._publish)

    def discard(self, upload_id: str, state: bytes | None) -> None:
        """Remove the upload's file name."""
        path = self._uploads / upload_id
        with translating(f"upload {upload_id}"), suppress(FileNotFoundError):
            fd = open_locked(path)
            try:
                path.unlink()
            finally:
                os.close(fd)

    def settle(self, upload_id: str, known: Callable[[str], bool]) -> tuple[str, ...]:
        """Find the keys of a commit that was cut short by hashing the file, if it has a second link at all."""
        with translating(f"upload {upload_id}"), suppress(FileNotFoundError):
            fd = open_locked(self._uploads / upload_id)
            try:
                kept = []
                for key in self._links(fd, upload_id):
                    if known(key):
                        kept.append(key)
                    else:
                        self.delete(key)
                return tuple(kept)
            finally:
                os.close(fd)
        return ()

    def uploads(self) -> Iterator[str]:
        """Name the files in uploads/."""
        with translating("uploads"):
            names = [path.name for path in self._uploads.iterdir()]
        return (name for name in names if _UPLOAD_ID.fullmatch(name))

    def stat(self, key: str) -> int:
        """Return the file's size."""
        with finding(key):
            return (self._root / key).stat().st_size

    def read(self, key: str, start: int, stop: int | None) -> Generator[bytes, None, None]:
        """Open the file now, and yield the range as it is asked for."""
        blocks = self._blocks(key, start, stop)
        next(blocks)  # opens it
        return blocks

    def _blocks(self, key: str, start: int, stop: int | None) -> Generator[bytes, None, None]:
        with finding(key):
            fd = os.open(self._root / key, os.O_RDONLY)
        try:
            with translating(key):
                end = os.fstat(fd).st_size if stop is None else stop
                yield b""
                while start < end:
                    block = os.pread(fd, min(BLOCK, end - start), start)
                    if not block:
                        raise Unavailable(f"{key}: the file ends at {start}, {end - start} bytes too early")
                    start += len(block)
                    yield block
        finally:
            os.close(fd)

    def local_path(self, key: str) -> Path:
        """Return where the key's file is."""
        return self._root / key

    def delete(self, key: str) -> None:
        """Remove the key's file and make that durable."""
        path = self._root / key
        with translating(key), suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            durable.sync_directory(path.parent)

    def health(self) -> Health:
        """Look at the free space, and try to make a file that has no name."""
        try:
            free, headroom = self._reserve.room()
            self._probe()
        except OSError as error:
            return Health(False, None, f"{self._root}: {error.strerror}")
        if headroom <= 0:
            return Health(False, free, f"{self._root}: only the reserve is left of the free space")
        return Health(True, free, None)

    def _probe(self) -> None:
        """Make a file that has no name, so that none is left; not every file system can. Raises: OSError."""
        try:
            os.close(os.open(self._uploads, os.O_TMPFILE | os.O_WRONLY, 0o600))
        except OSError as error:
            if error.errno not in _NO_PROBE:
                raise

    def _publish(self, path: Path, digest: Digest) -> str:
        """Give a finished file its key. Raises: OSError; Unavailable if the key is another file's."""
        key = _key(digest, path.name)
        target = self._root / key
        self._make_shard(target.parent)
        try:
            os.link(path, target, follow_symlinks=False)
        except FileExistsError:
            if not path.samefile(target):
                raise Unavailable(f"{key} exists already and is another file") from None
            durable.sync_directory(target.parent)
            return key
        try:
            durable.sync_directory(target.parent)
        except OSError:
            target.unlink()  # ours, and known to nobody yet
            raise
        return key

    def _make_shard(self, shard: Path) -> None:
        """Make a shard directory durable, once a process: another may have made it and not come to the sync."""
        if shard not in self._known_shards:
            durable.make_directory(shard, self._root)
            self._known_shards.add(shard)

    def _links(self, fd: int, upload_id: str) -> Iterator[str]:
        """Yield the keys that are the same file as the open upload."""
        status = os.fstat(fd)
        if status.st_nlink == 1:
            return
        hashers = [Hasher(algorithm) for algorithm in ALGORITHMS]
        position = 0
        while block := os.pread(fd, BLOCK, position):
            position += len(block)
            for hasher in hashers:
                hasher.update(block)
        for hasher in hashers:
            key = _key(hasher.digest(), upload_id)
            with suppress(FileNotFoundError):
                if os.path.samestat(status, (self._root / key).stat()):
                    yield key


def _key(digest: Digest, upload_id: str) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded[:2]}/{digest.encoded}.{upload_id}"
