"""What a place for bytes must be able to do: the Protocols that filesystem, memory and S3 fulfil.

A driver keeps uploads (being written, seen by nobody) and keys (published once, whole, never changed, never reused).
It hashes nothing and checks no digest: `storage.blobs` does that once for all. Each sentence of the docstrings is a
promise, and the contract suite in tests/storage tests it. Every method raises StorageErrors only.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

from storage.digest import Digest


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a store takes writes, what room it has, a sentence about what is wrong, and whether it can be read."""

    writable: bool
    free_bytes: int | None
    problem: str | None
    readable: bool = True


class Writer(Protocol):
    """The one open writer of an upload. After an error only `abort` and `close` are of use."""

    def write(self, data: memoryview) -> None:
        """Append bytes. Raises: Full; Unsettled if an earlier commit has published the upload."""
        ...

    def checkpoint(self) -> bytes:
        """Make every byte durable and return what `resume` needs to know. The upload stays held.

        A failure to make durable is final: the upload is gone.
        """
        ...

    def commit(self, digest: Digest) -> str:
        """Make the bytes durable, publish them under a key never used before, and return it.

        Before that nothing is visible; when it returns, the key and its bytes survive a power cut. The upload stays
        held, and `abort` then frees only what the upload held for itself. A commit repeated after a crash, on the same
        upload, gives the same key.

        Raises: DigestMismatch where an earlier commit is found to have published other bytes; only a driver that has to
                look at what is there compares at all.
        """
        ...

    def abort(self) -> None:
        """Remove the upload and release it; what was published stays. Never fails, may be called twice.

        Where an earlier commit published what this writer did not, the upload may stay until that is settled.
        """
        ...

    def close(self) -> None:
        """Release the upload; bytes written since the last checkpoint are undone. Never fails, may be called twice."""
        ...


@runtime_checkable
class ReadBack(Protocol):
    """A Writer that can read its own bytes before they are published."""

    def read_back(self) -> Generator[bytes, None, None]:
        """Yield everything written so far, from the first byte."""
        ...


class Driver(Protocol):
    """A place for bytes. Its methods may be called from several threads at once."""

    def begin(self, upload_id: str) -> Writer:
        """Open a new upload. Cheap: nothing need be written before the first byte."""
        ...

    def resume(self, upload_id: str, where: Callable[[], tuple[int, bytes]]) -> Writer:
        """Go on with an upload as it was at a checkpoint; later bytes are undone.

        `where` gives the checkpoint's offset and state. It is asked once the upload is held, so that no other writer
        can make a newer checkpoint between the answer and the undoing; what it raises passes through.
        An upload with a checkpoint before its first byte can always be resumed.
        Raises: Busy if it is held; NotFound if its bytes are gone; Unsettled if it was published with other bytes.
        """
        ...

    def discard(self, upload_id: str, state: bytes | None) -> None:
        """Remove the upload, whoever wrote it; what was published stays. Idempotent. Raises: Busy if it is held."""
        ...

    def settle(self, upload_id: str, known: Callable[[str], bool]) -> tuple[str, ...]:
        """Find the keys that a commit of this upload, cut short before its `abort`, has published; delete those that
        are not `known`, and return the others.

        After the `abort` it may find the key still, or not. The upload is held meanwhile. Raises: Busy if it is held.
        """
        ...

    def uploads(self) -> Iterator[str]:
        """Name every upload that holds something here."""
        ...

    def stat(self, key: str) -> int:
        """Return the size in bytes. Raises: NotFound."""
        ...

    def read(self, key: str, start: int, stop: int | None) -> Generator[bytes, None, None]:
        """Yield the bytes of the half-open range in blocks of at most 1 MiB; without `stop`, to the end.

        NotFound is raised by the call itself. Raises: Unavailable if fewer bytes come than the range has.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove a key, durably. Idempotent."""
        ...

    def health(self) -> Health:
        """Say how the place is. Never fails."""
        ...


@runtime_checkable
class LocalPath(Protocol):
    """A Driver whose keys are files of this machine."""

    def local_path(self, key: str) -> Path:
        """Return where the file of a key is; it need not exist."""
        ...


@runtime_checkable
class Presigned(Protocol):
    """A Driver whose keys clients can be sent to."""

    def presign(self, key: str, lifetime: timedelta) -> str:
        """Return an absolute address at which whoever has it can read a key for so long; the key need not exist."""
        ...
