"""Blobs: the only door to storage for the rest of the product.

What every driver needs is done once, here: bytes are hashed while they are written, the digest is compared before
anything counts, the hash goes along with a suspended upload, and ids and keys are checked. Knows no repository, no row
and no HTTP; a key is an opaque text that the caller keeps beside the digest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from storage.digest import Digest
from storage.driver import Driver, Health, LocalPath, Presigned, ReadBack, Writer
from storage.errors import DigestMismatch, NotFound, Unsettled
from storage.hashing import Hasher, digest_of
from storage.state import UploadState

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)  # no empty segment and none that starts with a dot


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A committed blob: where it is, how long it is, and what it is."""

    key: str
    size: int
    digest: Digest


class BlobStore:
    """Blobs in one place, by whatever driver."""

    def __init__(self, driver: Driver, *, name: str = "default") -> None:
        """Keep blobs by `driver`; `name` is what rows say of where a key is."""
        self.name = name
        self._driver = driver

    def begin(self, upload_id: str, algorithm: str = "sha256") -> BlobWriter:
        """Open a new upload. Cheap: no bytes, no file.

        Args:   upload_id: 32 lower-case hexadecimal characters, never used before.
                algorithm: of the digest that the commit is expected to name; another costs one more reading.
        Raises: Full; UnsupportedAlgorithm.
        """
        hasher = Hasher(algorithm)
        return BlobWriter(self._driver, upload_id, self._driver.begin(_checked(upload_id)), algorithm, hasher, 0)

    def resume(self, upload_id: str, state: Callable[[], bytes]) -> BlobWriter:
        """Go on where the last checkpoint was, in whatever process; bytes accepted after it are undone.

        `state` gives what that checkpoint returned. It is asked once the upload is held, so that nobody can make a
        newer checkpoint meanwhile whose bytes would be undone; what it raises passes through.

        Raises: Busy while another writer is open; NotFound if the bytes are gone; Full; Unsettled if an earlier commit
                has published other bytes than those up to the suspend (see `settle`).
        """
        decoded: list[UploadState] = []

        def where() -> tuple[int, bytes]:
            decoded.append(UploadState.decode(state()))
            return decoded[0].offset, decoded[0].driver

        writer = self._driver.resume(_checked(upload_id), where)
        was = decoded[0]
        return BlobWriter(self._driver, upload_id, writer, was.algorithm, _hasher(was), was.offset)

    def discard(self, upload_id: str, state: bytes | None) -> None:
        """Remove what an upload holds for itself; what it has published stays. Idempotent.

        Raises: Busy while a writer is open.
        """
        driver_state = None if state is None else UploadState.decode(state).driver
        self._driver.discard(_checked(upload_id), driver_state)

    def published(self, upload_id: str, state: bytes | None) -> tuple[str, ...]:
        """Return the keys under which an upload, cut short in its commit, may have published its bytes.

        Raises: Busy while a writer is open.
        """
        return self.settle(upload_id, lambda _key: True)

    def settle(self, upload_id: str, known: Callable[[str], bool]) -> tuple[str, ...]:
        """Decide on a commit that was cut short: delete its keys that nobody knows, and return those that are known.

        The upload is held meanwhile, so that no writer can publish between the question and the deletion. What is left
        of the upload itself stays, to be resumed or discarded.

        Raises: Busy while a writer is open.
        """
        return self._driver.settle(_checked(upload_id), known)

    def uploads(self) -> Iterator[str]:
        """Name every upload that holds something; those that the caller never heard of are for `discard`."""
        return self._driver.uploads()

    def stat(self, key: str) -> int:
        """Return a blob's size in bytes. Raises: NotFound."""
        return self._driver.stat(_checked_key(key))

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Generator[bytes, None, None]:
        """Yield the bytes of a half-open range in blocks of at most 1 MiB.

        Raises: NotFound, by the call itself; Unavailable if the blob is shorter than the range: never a short read.
        """
        if start < 0 or (stop is not None and stop < start):
            raise ValueError("a range starts at 0 or later and does not stop before it starts")
        return self._driver.read(_checked_key(key), start, stop)

    def local_path(self, key: str) -> Path | None:
        """Return the blob's file, where blobs are files of this machine."""
        checked = _checked_key(key)
        return self._driver.local_path(checked) if isinstance(self._driver, LocalPath) else None

    def presigned(self, key: str, lifetime: timedelta) -> str | None:
        """Return an address at which clients can read the blob for so long, where the driver can give one."""
        checked = _checked_key(key)
        return self._driver.presign(checked, lifetime) if isinstance(self._driver, Presigned) else None

    def delete(self, key: str) -> None:
        """Remove a blob, durably. Idempotent."""
        self._driver.delete(_checked_key(key))

    def health(self) -> Health:
        """Say whether blobs can be written, and what is wrong if not."""
        return self._driver.health()


class _Phase(Enum):
    OPEN = auto()
    COMMITTED = auto()
    DEAD = auto()
    RELEASED = auto()


class BlobWriter:
    """The one open writer of an upload.

    After an error of `write`, `suspend` or `commit` it is dead, and `close` or `abort` is all that it still does.
    Leaving its `with` block closes it. Not for two threads at once.
    """

    def __init__(
        self, driver: Driver, upload_id: str, writer: Writer, algorithm: str, hasher: Hasher | None, offset: int
    ) -> None:
        """Made by BlobStore only; without a hasher, the bytes are read once more at the commit."""
        self.upload_id = upload_id
        self.offset = offset
        self._driver = driver
        self._writer = writer
        self._algorithm = algorithm
        self._hasher = hasher
        self._phase = _Phase.OPEN

    def write(self, data: Buffer) -> None:
        """Accept the next block, best 256 KiB to 1 MiB. Raises: Full; ReadOnly; Unavailable; Unsettled."""
        view = memoryview(data).cast("B")
        with self._step(_Phase.OPEN):
            self._writer.write(view)
            if self._hasher is not None:
                self._hasher.update(data)
            self.offset += len(view)

    def checkpoint(self) -> bytes:
        """Make every byte durable and return what `BlobStore.resume` needs. The upload stays held.

        The caller records the state, and only then calls `close`: whoever holds the upload next finds it recorded.
        Raises: Full; ReadOnly; Unavailable, after which the upload is gone.
        """
        saved = None if self._hasher is None else self._hasher.save()
        with self._step(_Phase.OPEN):
            driver_state = self._writer.checkpoint()
        return UploadState(self.offset, self._algorithm, saved or b"", driver_state).encode()

    def suspend(self) -> bytes:
        """Make a checkpoint and release the upload, where nobody else can know of it yet."""
        state = self.checkpoint()
        self.close()
        return state

    def commit(self, expected: Digest) -> StoredBlob:
        """Publish the bytes as the blob `expected`; when this returns, a power cut cannot take them.

        The upload itself is kept and held until `abort`, which the caller calls once it has committed its own row: up
        to then the commit can be repeated by `resume`, or undone by `settle`.

        Raises: DigestMismatch if the content differs: nothing is published, and the writer can go on, `suspend` or
                `abort`. (Only where the digest is of another algorithm than announced, and the driver cannot read what
                is not published, is it published for the comparison; then the writer is dead, and `settle` removes
                the key.) Full; ReadOnly; Unavailable; Unsettled if an earlier commit published other bytes.
        """
        actual = self._content(expected.algorithm)
        if actual is not None and actual != expected:
            raise DigestMismatch(expected, actual)
        with self._step(_Phase.COMMITTED):
            try:
                key = self._writer.commit(expected)
            except DigestMismatch:
                if actual is None:
                    raise
                raise Unsettled(f"an earlier commit of upload {self.upload_id} has published other bytes") from None
            if actual is None:
                self._verify(key, expected)
        return StoredBlob(key, self.offset, expected)

    def abort(self) -> None:
        """Give up: remove everything that is not published. After a commit, free what the upload held for itself.

        Harmless at any time, twice too; a writer that was suspended or closed has nothing left to remove.
        """
        self._phase = _Phase.RELEASED
        self._writer.abort()

    def close(self) -> None:
        """Release the upload without making anything durable: it can be resumed as it was last suspended."""
        self._phase = _Phase.RELEASED
        self._writer.close()

    def __enter__(self) -> BlobWriter:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the writer if that was not done."""
        self.close()

    @contextmanager
    def _step(self, then: _Phase) -> Iterator[None]:
        """Do one thing that an open writer can do; whatever goes wrong in it, the writer is dead."""
        if self._phase is not _Phase.OPEN:
            raise RuntimeError(f"the writer of upload {self.upload_id} is {self._phase.name.lower()}")
        self._phase = _Phase.DEAD
        yield
        self._phase = then

    def _content(self, algorithm: str) -> Digest | None:
        """Return the digest of what was written, or None if it cannot be known before it is published."""
        if self._hasher is not None and self._hasher.algorithm == algorithm:
            return self._hasher.digest()
        if isinstance(self._writer, ReadBack):
            with self._step(_Phase.OPEN):
                return digest_of(self._writer.read_back(), algorithm)
        return None

    def _verify(self, key: str, expected: Digest) -> None:
        """Compare bytes that could not be read before they were published.

        A wrong key stays for `settle`, which asks first: by an earlier commit, cut short, a row may name it.
        """
        actual = digest_of(self._driver.read(key, 0, None), expected.algorithm)
        if actual != expected:
            raise DigestMismatch(expected, actual)


def _hasher(state: UploadState) -> Hasher | None:
    """Return the hash of what was written, if this machine can know it without reading."""
    if not state.offset:
        return Hasher(state.algorithm)
    try:
        return Hasher.load(state.algorithm, state.hash)
    except ValueError:
        return None


def _checked(upload_id: str) -> str:
    """Refuse what could not be one of our ids: it becomes a file name."""
    if _UPLOAD_ID.fullmatch(upload_id) is None:
        raise ValueError("an upload id is 32 lower-case hexadecimal characters")
    return upload_id


def _checked_key(key: str) -> str:
    """Refuse what no driver has ever given out: it becomes a path."""
    if _KEY.fullmatch(key) is None:
        raise NotFound(key)
    return key
