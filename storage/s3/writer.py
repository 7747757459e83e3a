"""The open writer of an upload on S3: bytes are cut into parts of one size, whatever the blocks in which they come.

What fits into one part is written as one object at the commit; what is longer goes part by part into a multipart
upload to the very key that the commit will give. A checkpoint keeps what is too short for a part as an object of its
own, under a name never used before, so that no other writer's can be overwritten.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from storage.digest import Digest
from storage.errors import StorageError, Unavailable, Unsettled
from storage.s3.bucket import Bucket
from storage.s3.buffers import Budget, Part
from storage.s3.parts import Multipart, check_content, put
from storage.s3.reading import blocks
from storage.s3.session import Session, Tail, new_name

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Means:
    """What all writers of a driver share."""

    bucket: Bucket
    budget: Budget
    pool: ThreadPoolExecutor


def key_of(upload_id: str, name: str) -> str:
    """Give a key of an upload; there is a name for each commit that is tried."""
    return f"blobs/{upload_id}.{name}"


def tail_key(upload_id: str, name: str) -> str:
    """Say where a tail is."""
    return f"uploads/{upload_id}/{name}"


class S3Writer:
    """Writer of `storage.driver`. Where an earlier commit has published bytes, it takes none."""

    def __init__(
        self,
        means: Means,
        upload_id: str,
        session: Session,
        offset: int,
        *,
        tail: Part,
        published: tuple[str, ...],
        let_go: Callable[[], None],
    ) -> None:
        """Made by the driver, which holds the upload for it until `let_go`."""
        self._means = means
        self._upload_id = upload_id
        self._session = session
        self._offset = offset
        self._part = tail
        self._published = published
        self._let_go: Callable[[], None] | None = let_go
        self._multipart: Multipart | None = None
        if session.multipart:
            key = key_of(upload_id, session.name)
            self._multipart = Multipart(means.bucket, means.pool, key, session.multipart, session.etags)
        self._completed = False

    def write(self, data: memoryview) -> None:
        """Collect bytes; a part that is full goes out when there are more."""
        self._refuse_if_published()
        while data:
            room = self._session.part_size - self._part.size
            if room == 0:
                self._send_part()
                continue
            self._collect(data[:room])
            data = data[room:]

    def _collect(self, data: memoryview) -> None:
        """Put bytes into the part; what this upload has under way is waited for before memory runs out."""
        budget = self._means.budget
        while self._part.in_memory and budget.used + self._part.price(len(data)) > budget.size:
            if self._multipart is None or not self._multipart.make_room():
                break
        self._part.append(data)
        self._offset += len(data)

    def _send_part(self) -> None:
        if self._multipart is None:
            self._multipart = Multipart.create(self._means.bucket, self._means.pool, self._new_key())
        full, self._part = self._part, Part(self._means.budget, self._session.part_size)
        self._multipart.send(full)

    def checkpoint(self) -> bytes:
        """Wait until every part is stored, and store the rest as a tail."""
        if not self._published:
            self._session = self._stored()
        return self._session.encode()

    def _stored(self) -> Session:
        was = self._session
        if was.size == self._offset and was.tail is not None:
            return was
        name = s3_upload = ""
        etags: tuple[str, ...] = ()
        if self._multipart is not None:
            self._multipart.land()
            name = self._multipart.key.rpartition(".")[2]
            s3_upload, etags = self._multipart.id, tuple(self._multipart.etags)
        old = (*was.old, *((was.tail.name,) if was.tail else ()))
        return Session(was.part_size, name, s3_upload, etags, self._put_tail(), old)

    def _put_tail(self) -> Tail | None:
        if not self._part.size:
            return None
        name = new_name()
        md5 = put(self._means.bucket, tail_key(self._upload_id, name), self._part)
        return Tail(name, self._part.size, md5)

    def commit(self, digest: Digest) -> str:
        """Publish the bytes under a key of this upload, or find that an earlier commit has."""
        if self._published:
            check_content(self._means.bucket, self._published[0], digest)
            self._completed = True
            return self._published[0]
        key = self._put_whole() if self._multipart is None else self._complete(self._multipart, digest)
        self._completed = True
        return key

    def _new_key(self) -> str:
        return key_of(self._upload_id, new_name())

    def _put_whole(self) -> str:
        key = self._new_key()
        put(self._means.bucket, key, self._part)
        return key

    def _complete(self, multipart: Multipart, digest: Digest) -> str:
        self._send_part()  # never empty: a part goes out only when there are more bytes
        multipart.land()
        multipart.complete(self._offset, digest)
        return multipart.key

    def abort(self) -> None:
        """Remove the tails and what was not completed, and release the upload."""
        if self._let_go is None:
            return
        if self._multipart is not None and not self._completed:
            self._attempt(self._multipart.abort)
        tail = (self._session.tail.name,) if self._session.tail else ()
        for name in (*self._session.old, *tail):
            self._remove_tail(name)
        self.close()

    def close(self) -> None:
        """Release the upload; parts after the last checkpoint are not in its list, and so will be written again."""
        if self._let_go is None:
            return
        if self._multipart is not None:
            self._multipart.settle_down()
        self._part.release()
        self._let_go()
        self._let_go = None

    def remove_old_tails(self) -> None:
        """Remove the tails that the state, now known to be the catalog's word, calls superseded."""
        for name in self._session.old:
            self._remove_tail(name)
        self._session = replace(self._session, old=())

    def _remove_tail(self, name: str) -> None:
        self._attempt(lambda: self._means.bucket.delete(tail_key(self._upload_id, name)))

    def _refuse_if_published(self) -> None:
        if self._published:
            raise Unsettled(f"an earlier commit of upload {self._upload_id} has published its bytes")

    def _attempt(self, step: Callable[[], None]) -> None:
        """Do what the caller need not wait for: what is left over is found by the sweep of uploads."""
        try:
            step()
        except StorageError as error:
            _logger.warning("upload %s could not be cleaned up: %s", self._upload_id, error)


def fetched(bucket: Bucket, upload_id: str, tail: Tail, part: Part) -> None:
    """Read a tail into a part. Raises Unavailable if it is not what was written; NotFound."""
    for block in blocks(bucket, tail_key(upload_id, tail.name), 0, tail.size):
        part.append(memoryview(block))
    if part.md5().hex() != tail.md5:
        raise Unavailable(f"upload {upload_id}: the bytes that made no part yet are damaged")
