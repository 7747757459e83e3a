"""Taking the bytes of one request into an upload session: a chunk (end-5), the closing PUT (end-6), a single POST.

The caller hands over blocks and ends with exactly one of `pause`, `finish` and `close`. Nothing happens before the
first of these calls, so that a small blob costs one visit to a worker thread.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from registry.catalog.blobs import Blob
from registry.catalog.errors import CatalogUnavailable, Conflict, NotFound, OutcomeUnknown
from registry.catalog.uploads import UploadSession
from registry.content.uploads import MICROSECOND, Uploads, find_session, key_lifetime
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName
from storage.blobs import BlobWriter, StoredBlob
from storage.digest import Digest
from storage.errors import Busy, DigestMismatch, Unsettled
from storage.errors import NotFound as BytesGone

Pieces = Sequence[bytes]
"""A block in the pieces in which it came."""


@dataclass(frozen=True, slots=True)
class ChunkRange:
    """What the request says of its bytes: where they start, and how many there are; None where it does not say."""

    start: int | None = None
    length: int | None = None


class Reception:
    """One request's bytes on their way into a session; belongs to one request."""

    def __init__(
        self, uploads: Uploads, name: RepositoryName, session_id: str, *, subject: str, chunk: ChunkRange
    ) -> None:
        self._uploads = uploads
        self._name = name
        self._session_id = session_id
        self._subject = subject
        self._chunk = chunk
        self._session: UploadSession | None = None
        self._writer: BlobWriter | None = None
        self._received = 0
        self._looked_at = 0  # µs since 1970
        self._sign_due = 0.0  # by this process's own clock

    def write(self, block: Pieces) -> None:
        """Take a block of about 1 MiB.

        Raises: BLOB_UPLOAD_UNKNOWN, UPLOAD_OUT_OF_ORDER, BLOB_TOO_LARGE or SIZE_INVALID; then only `close` is left.
        """
        session, writer = self._opened()
        self._give_sign(session, writer)
        self._received += sum(map(len, block))
        if session.offset + self._received > self._uploads.limits.blob_bytes:
            raise self._too_large()
        if self._chunk.length is not None and self._received > self._chunk.length:
            raise self._wrong_length()
        with self._alone(session, writer):
            for piece in block:
                writer.write(piece)

    def pause(self, last: Pieces = (), *, whole: bool = True) -> int:
        """Take the last block and make the chunk safe; give the offset that the session has now.

        The session is let go only after its row is committed: whoever takes it next finds the row right.

        Args: whole: False where the client vanished: what came so far is kept, and its status tells.
        """
        session, writer = self._ended(last, whole=whole)
        with self._alone(session, writer):
            state = writer.checkpoint()
        try:
            with self._uploads.catalog.begin() as tx:
                tx.uploads.advance(session, writer.offset, state)
        except Conflict:
            raise self._overtaken(session) from None
        except OutcomeUnknown:
            if not self._advanced(writer.offset):
                raise
        writer.close()
        return writer.offset

    def finish(self, last: Pieces, digest: Digest) -> Blob:
        """Take the last block, check the digest, and publish the bytes as a blob of the repository.

        Raises: DIGEST_INVALID, after which the session stands where it stood before this request.
        """
        session, writer = self._ended(last, whole=True)
        try:
            with self._alone(session, writer):
                stored = writer.commit(digest)
        except DigestMismatch as error:
            raise RegistryError(
                ErrorCode.DIGEST_INVALID,
                f"the content's digest is {error.actual}, not {error.expected}; nothing was stored",
                details=({"expected": str(error.expected), "actual": str(error.actual)},),
            ) from None
        try:
            blob = self._publish(session, stored)
        except OutcomeUnknown:
            blob = self._published(session, stored)
        writer.abort()
        return blob

    def close(self) -> None:
        """Let go of the session without making this request's bytes safe; harmless after `pause` and `finish`."""
        if self._writer is not None:
            self._writer.close()

    def _publish(self, session: UploadSession, stored: StoredBlob) -> Blob:
        with self._uploads.catalog.begin() as tx:
            if not tx.uploads.finish(session):
                # Cancelled, swept or undone while its last bytes came: the key goes with the rest of the session.
                tx.blobs.discard(session.store, stored.key, tx.now)
                gone = True
            else:
                gone = False
                try:
                    before = tx.blobs.by_digest(stored.digest)
                except NotFound:
                    before = None
                blob = tx.blobs.put(stored.digest, stored.size, session.store, stored.key)
                if before is not None and (before.store, before.key) != (blob.store, blob.key):
                    lifetime = key_lifetime(self._uploads.stores[before.store], before.key)
                    tx.blobs.discard(before.store, before.key, tx.now + lifetime // MICROSECOND)
                tx.blobs.link(session.repository_id, blob)
        if gone:
            raise RegistryError(ErrorCode.BLOB_UPLOAD_UNKNOWN)
        return blob

    def _published(self, session: UploadSession, stored: StoredBlob) -> Blob:
        """Look whether a COMMIT of which nothing was heard has published the blob. Raises UNAVAILABLE where not."""
        blob = None
        with suppress(OutcomeUnknown), self._uploads.catalog.begin() as tx:  # this one changes nothing
            tx.uploads.settle(session.id)
            if tx.blobs.key_known(session.store, stored.key):
                blob = tx.blobs.linked(session.repository_id, stored.digest)
        if blob is None:
            raise RegistryError(ErrorCode.UNAVAILABLE, "the registry's database went away; try again now")
        return blob

    def _advanced(self, offset: int) -> bool:
        """Look whether a COMMIT of which nothing was heard has moved the session."""
        session = None
        with suppress(OutcomeUnknown), self._uploads.catalog.begin() as tx:  # this one changes nothing
            tx.uploads.settle(self._session_id)
            session = find_session(tx, self._name, self._session_id, subject=self._subject)
        return session is not None and session.offset == offset

    def _ended(self, last: Pieces, *, whole: bool) -> tuple[UploadSession, BlobWriter]:
        if last:
            self.write(last)
        session, writer = self._opened()
        if whole and self._chunk.length is not None and self._received != self._chunk.length:
            raise self._wrong_length()
        return session, writer

    def _opened(self) -> tuple[UploadSession, BlobWriter]:
        if self._session is None or self._writer is None:
            self._session, self._writer = self._open()
        return self._session, self._writer

    def _open(self) -> tuple[UploadSession, BlobWriter]:
        """Take the session for this request alone, then see where it stands, and that the chunk starts there.

        In this order: a session that was read before it was held could be moved on by another request meanwhile.
        """
        session = self._look()
        store = self._uploads.stores[session.store]
        held: list[UploadSession] = []

        def state() -> bytes:
            held.append(self._checked(self._look()))
            return held[0].state

        try:
            writer = store.resume(session.id, state)
        except Busy:
            raise out_of_order(session, "another request is writing to this upload") from None
        except Unsettled:
            raise self._settled(session) from None
        except BytesGone:
            raise self._overtaken(held[0]) from None
        self._expect_sign(held[0])
        return held[0], writer

    @contextmanager
    def _alone(self, session: UploadSession, writer: BlobWriter) -> Iterator[None]:
        """Tell the client of it where another process had the same session in hand, and ended it or moved it on."""
        try:
            yield
        except Unsettled:
            writer.close()
            raise self._settled(session) from None
        except BytesGone:
            writer.close()
            raise self._overtaken(session) from None

    def _overtaken(self, seen: UploadSession) -> RegistryError:
        """Say what became of a session that no longer is, or has no longer what, this request found."""
        try:
            now = self._look()
        except RegistryError as error:
            return error
        if now != seen:
            return out_of_order(now, "another request wrote to this upload at the same time")
        return RegistryError(ErrorCode.BLOB_UPLOAD_UNKNOWN, "this upload's bytes were lost; start a new one")

    def _expect_sign(self, session: UploadSession) -> None:
        """Reckon when the session's row next has to show that bytes are coming."""
        rested = timedelta(microseconds=self._looked_at - session.active_at)
        wait = max(self._uploads.limits.sign_of_life - rested, timedelta(0))
        self._sign_due = time.monotonic() + wait.total_seconds()

    def _give_sign(self, session: UploadSession, writer: BlobWriter) -> None:
        """Let whoever looks for idle sessions, perhaps in another process, see that bytes are coming.

        A database that is away for a moment is no reason to fail.
        """
        if time.monotonic() < self._sign_due:
            return
        self._sign_due = time.monotonic() + self._uploads.limits.sign_of_life.total_seconds()
        try:
            with suppress(CatalogUnavailable), self._uploads.catalog.begin(durable=False) as tx:
                self._session = tx.uploads.touch(session)
        except Conflict:
            writer.close()
            raise self._overtaken(session) from None

    def _settled(self, session: UploadSession) -> RegistryError:
        """Undo a commit that was cut short after its bytes were published; the client's next try goes through."""
        self._uploads.settle(session.store, session.id)
        return RegistryError(ErrorCode.UNAVAILABLE, "an earlier attempt was cut short; try again now")

    def _look(self) -> UploadSession:
        with self._uploads.catalog.read() as tx:
            self._looked_at = tx.now
            return find_session(tx, self._name, self._session_id, subject=self._subject)

    def _checked(self, session: UploadSession) -> UploadSession:
        start, length = self._chunk.start, self._chunk.length
        if start is not None and start != session.offset:
            raise out_of_order(session, f"the chunk starts at {start}, the upload is at {session.offset}")
        if length is not None and session.offset + length > self._uploads.limits.blob_bytes:
            raise self._too_large()
        return session

    def _wrong_length(self) -> RegistryError:
        return RegistryError(
            ErrorCode.SIZE_INVALID, f"{self._chunk.length} bytes were announced; {self._received} or more came"
        )

    def _too_large(self) -> RegistryError:
        return RegistryError(
            ErrorCode.BLOB_TOO_LARGE, f"a blob has at most {self._uploads.limits.blob_bytes} bytes in this registry"
        )


def out_of_order(session: UploadSession, why: str) -> RegistryError:
    """Tell a client where the session really stands (spec: 416, then GET for the current offset)."""
    return RegistryError(
        ErrorCode.UPLOAD_OUT_OF_ORDER,
        f"{why}; go on at byte {session.offset}",
        headers={
            "range": progress(session.offset),
            "location": f"/v2/{session.repository}/blobs/uploads/{uuid_text(session.id)}",
        },
    )


def progress(offset: int) -> str:
    """Write a session's `Range`: inclusive, and `0-0` for an empty one, which docker insists on."""
    return f"0-{max(offset - 1, 0)}"


def uuid_text(session_id: str) -> str:
    """Write a session id as the UUID that the specification wants in its address."""
    return "-".join((session_id[:8], session_id[8:12], session_id[12:16], session_id[16:20], session_id[20:]))
