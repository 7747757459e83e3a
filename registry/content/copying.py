"""Moving one blob from one store to another: copied, compared with its digest, read back, and only then named.

The copy is an upload like a client's, with a session of its own, so that whatever is cut short at any point is found
by the sweep of uploads. The transaction that names the new key looks whether the blob still lies where it was read: a
push of the same digest, or the collector, may have been quicker, and then the copy goes instead.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import suppress

from registry.catalog.blobs import Blob
from registry.catalog.errors import CatalogError, OutcomeUnknown
from registry.catalog.uploads import UploadSession
from registry.content.flow import Flow
from registry.content.uploads import MICROSECOND, Uploads, key_lifetime
from storage.blobs import BlobStore, BlobWriter, StoredBlob
from storage.digest import Digest
from storage.errors import DigestMismatch, NotFound, StorageError, Unavailable
from storage.hashing import digest_of

SUBJECT = "moorage storage migrate"
"""Whose the sessions are; no user's name has a space."""
TOUCHED_EVERY = 30.0
"""Seconds after which a session says that it is still at work, at the latest."""


class Damaged(Exception):
    """A blob whose bytes are not there, cannot be read or are others; the message says which."""


class Copier:
    """Moves blobs; safe to use from any thread."""

    def __init__(
        self, uploads: Uploads, source: BlobStore, target: BlobStore, *, flow: Flow, read_back: bool = True
    ) -> None:
        self._uploads = uploads
        self._catalog = uploads.catalog
        self._source = source
        self._target = target
        self._flow = flow
        self._read_back = read_back
        self._touched_every = min(TOUCHED_EVERY, uploads.limits.expiry.total_seconds() / 4)

    def move(self, blob: Blob) -> bool:
        """Move a blob; False where it does not lie in the source any more.

        Raises: Damaged; Stopped; StorageError or CatalogError for trouble that is not the blob's own. Whatever is
                raised, the blob is where it was, and the copy is gone or will be swept.
        """
        copy = self._opened(blob)
        if copy is None:
            self._flow.count(blob.size)
            return False
        try:
            moved = self._named(copy, blob, self._copied(copy, blob))
        except BaseException as error:
            copy.undo(self._uploads)
            if isinstance(error, Damaged) and not self._is_there(blob):
                return False
            raise
        copy.writer.abort()
        return moved

    def _opened(self, blob: Blob) -> "_Copy | None":
        """Note the upload before its first byte; None where the blob is not there any more."""
        writer = self._target.begin(uuid.uuid4().hex, blob.digest.algorithm)
        try:
            session = self._session(blob, writer.upload_id, writer.checkpoint())
        except BaseException:
            writer.close()
            raise
        if session is None:
            writer.close()
            return None
        return _Copy(writer, session)

    def _session(self, blob: Blob, session_id: str, state: bytes) -> UploadSession | None:
        with self._catalog.begin() as tx:
            home = tx.placement.home(blob)
            if home is None or not tx.placement.is_at(blob):
                return None
            tx.uploads.open(session_id, home, subject=SUBJECT, store=self._target.name, state=state)
            return tx.uploads.get(session_id)

    def _copied(self, copy: "_Copy", blob: Blob) -> StoredBlob:
        passed = 0
        try:
            for block in self._flow.paced(self._blocks(blob), lambda: self._keep(copy)):
                copy.writer.write(block)
                passed += len(block)
                self._flow.count(len(block))
            stored = self._committed(copy, blob.digest)
            if self._read_back:
                self._compare(copy, stored)
        except BaseException:
            self._flow.count(-passed)
            raise
        return stored

    def _blocks(self, blob: Blob) -> Iterator[bytes]:
        """Read the source. What is wrong with a file is that file's trouble; a store elsewhere may just be away."""
        try:
            yield from self._source.read(blob.key)
        except NotFound:
            raise Damaged("its bytes are missing") from None
        except Unavailable as error:
            if self._source.local_path(blob.key) is None:
                raise
            raise Damaged(f"its bytes cannot be read: {error}") from error

    def _committed(self, copy: "_Copy", digest: Digest) -> StoredBlob:
        try:
            return copy.writer.commit(digest)
        except DigestMismatch as error:
            raise Damaged(f"its bytes have the digest {error.actual}") from None

    def _compare(self, copy: "_Copy", stored: StoredBlob) -> None:
        blocks = self._flow.paced(self._target.read(stored.key), lambda: self._keep(copy))
        found = digest_of(blocks, stored.digest.algorithm)
        if found != stored.digest:
            raise Unavailable(f"{stored.key}: the copy of {stored.digest} reads back as {found}")

    def _named(self, copy: "_Copy", blob: Blob, stored: StoredBlob) -> bool:
        try:
            return self._name(copy.session, blob, stored)
        except OutcomeUnknown:
            if not self._is_named(copy.session, stored):
                raise
            return True

    def _name(self, session: UploadSession, blob: Blob, stored: StoredBlob) -> bool:
        with self._catalog.begin() as tx:
            open_still = tx.uploads.finish(session)
            moved = open_still and tx.placement.move(blob, self._target.name, stored.key)
            if moved:
                lifetime = key_lifetime(self._source, blob.key) // MICROSECOND
                tx.blobs.discard(self._source.name, blob.key, tx.now + lifetime)
            else:
                tx.blobs.discard(self._target.name, stored.key, tx.now)
        if not open_still:
            raise Unavailable(f"the copy of {blob.digest} was taken for an abandoned upload")
        return moved

    def _is_named(self, session: UploadSession, stored: StoredBlob) -> bool:
        """Look whether a COMMIT of which nothing was heard has named the copy."""
        with suppress(OutcomeUnknown), self._catalog.begin() as tx:  # this one changes nothing
            tx.uploads.settle(session.id)
            return tx.blobs.key_known(self._target.name, stored.key)
        return False

    def _is_there(self, blob: Blob) -> bool:
        with self._catalog.read() as tx:
            return tx.placement.is_at(blob)

    def _keep(self, copy: "_Copy") -> None:
        """Let no sweep take a copy that goes on for hours for an abandoned upload."""
        if time.monotonic() - copy.touched_at > self._touched_every:
            with self._catalog.begin(durable=False) as tx:
                copy.session = tx.uploads.touch(copy.session)
            copy.touched_at = time.monotonic()


class _Copy:
    """A copy under way."""

    def __init__(self, writer: BlobWriter, session: UploadSession) -> None:
        self.writer = writer
        self.session = session
        self.touched_at = time.monotonic()

    def undo(self, uploads: Uploads) -> None:
        """Remove what there is of it; what cannot be removed now is swept later."""
        self.writer.close()
        with suppress(StorageError, CatalogError):
            uploads.remove(self.session)
