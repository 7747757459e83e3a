"""The driver for S3.

Writers of one upload keep one another away within this process only: S3 has no lock that is let go when its holder
dies. Between processes the catalog decides, whose rows a slower writer finds changed; nothing that such a writer does
here can touch what another has published or checkpointed, for every key and every tail has a name of its own.
"""

import re
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from storage.driver import Health, Writer
from storage.errors import Busy, NotFound, StorageError, Unsettled
from storage.s3.bucket import Bucket
from storage.s3.buffers import Budget, Part
from storage.s3.options import S3Options
from storage.s3.parts import Multipart
from storage.s3.presigning import Signer
from storage.s3.reading import blocks
from storage.s3.session import Session
from storage.s3.writer import Means, S3Writer, fetched, key_of

_OF_UPLOAD = re.compile(r"(?:uploads|blobs)/([0-9a-f]{32})[/.].*")


class S3Driver:
    """Driver and Presigned on a bucket."""

    def __init__(self, options: S3Options) -> None:
        """Use the bucket of `options`; nothing is asked of it yet. Raises Unavailable without Amazon's library."""
        self._options = options
        self._bucket = Bucket(options)
        self._signer = Signer(options)
        pool = ThreadPoolExecutor(2 * options.parallel_parts, "parts")
        self._means = Means(self._bucket, Budget(options.memory_bytes), pool)
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, upload_id: str) -> Writer:
        """Open a new upload; nothing is asked of the store."""
        self._hold(upload_id)
        return self._writer(
            upload_id, Session(self._options.part_size), 0, Part(self._means.budget, self._options.part_size), ()
        )

    def resume(self, upload_id: str, where: Callable[[], tuple[int, bytes]]) -> Writer:
        """Go on with the parts that were there, and take what made no part from its own object."""
        self._hold(upload_id)
        try:
            offset, state = where()
            session = Session.decode(state) if offset else Session(self._options.part_size)
            published = self._published_with(upload_id, offset)
            part = Part(self._means.budget, session.part_size)
            if not published:
                self._load(upload_id, session, offset, part)
            writer = self._writer(upload_id, session, offset, part, published)
            writer.remove_old_tails()
            return writer
        except BaseException:
            self._let_go(upload_id)
            raise

    def _writer(
        self, upload_id: str, session: Session, offset: int, part: Part, published: tuple[str, ...]
    ) -> S3Writer:
        let_go = partial(self._let_go, upload_id)
        return S3Writer(self._means, upload_id, session, offset, tail=part, published=published, let_go=let_go)

    def _published_with(self, upload_id: str, offset: int) -> tuple[str, ...]:
        """Find what earlier commits published. Raises Unsettled where one did with other bytes."""
        found = list(self._bucket.objects(f"blobs/{upload_id}"))
        if any(item["Size"] != offset for item in found):
            raise Unsettled(f"an earlier commit of upload {upload_id} has published its bytes")
        return tuple(item["Key"] for item in found)

    def _load(self, upload_id: str, session: Session, offset: int, part: Part) -> None:
        """See that everything is there, and fetch the tail. Raises NotFound."""
        if session.size != offset or not self._has_parts(upload_id, session):
            raise NotFound(f"upload {upload_id}")
        if session.tail is not None:
            try:
                fetched(self._bucket, upload_id, session.tail, part)
            except BaseException:
                part.release()
                raise

    def _has_parts(self, upload_id: str, session: Session) -> bool:
        if not session.etags:
            return True
        key = key_of(upload_id, session.name)
        return Multipart(self._bucket, self._means.pool, key, session.multipart, session.etags).has_parts()

    def discard(self, upload_id: str, state: bytes | None) -> None:
        """Remove the tails and abort the multipart uploads, those that no state tells of too."""
        with self._holding(upload_id):
            for item in list(self._bucket.multiparts(f"blobs/{upload_id}.")):
                self._bucket.abort(item["Key"], item["UploadId"])
            for item in list(self._bucket.objects(f"uploads/{upload_id}/")):
                self._bucket.delete(item["Key"])

    def settle(self, upload_id: str, known: Callable[[str], bool]) -> tuple[str, ...]:
        """Ask about the keys that this upload's name begins."""
        with self._holding(upload_id):
            keys = [item["Key"] for item in self._bucket.objects(f"blobs/{upload_id}.")]
            kept = []
            for key in keys:
                if known(key):
                    kept.append(key)
                else:
                    self._bucket.delete(key)
            return tuple(kept)

    def uploads(self) -> Iterator[str]:
        """Name the uploads that have parts or a tail older than the options' `stranger_age`."""
        before = datetime.now(UTC) - self._options.stranger_age
        multiparts = ((item["Key"], item["Initiated"]) for item in self._bucket.multiparts("blobs/"))
        tails = ((item["Key"], item["LastModified"]) for item in self._bucket.objects("uploads/"))
        found = set()
        for items in (multiparts, tails):
            for key, moment in items:
                match = _OF_UPLOAD.fullmatch(key)
                if match and (not self._options.stranger_age or moment < before):
                    found.add(match[1])
        return iter(found)

    def stat(self, key: str) -> int:
        """Return the object's size."""
        return int(self._bucket.head(key)["ContentLength"])

    def read(self, key: str, start: int, stop: int | None) -> Generator[bytes, None, None]:
        """Yield a range of the object."""
        return blocks(self._bucket, key, start, stop)

    def delete(self, key: str) -> None:
        """Remove the object."""
        self._bucket.delete(key)

    def presign(self, key: str, lifetime: timedelta) -> str:
        """Give an address that lets whoever has it read the object for so long."""
        return self._signer.address(self._bucket.full(key), lifetime)

    def health(self) -> Health:
        """Ask whether the bucket is there and answers these keys; what room it has, S3 does not tell."""
        try:
            self._bucket.call(
                "list_objects_v2", f"bucket {self._options.bucket}", Prefix=self._options.prefix, MaxKeys=1
            )
        except StorageError as error:
            return Health(False, None, str(error), readable=False)
        return Health(True, None, None)

    @contextmanager
    def _holding(self, upload_id: str) -> Iterator[None]:
        self._hold(upload_id)
        try:
            yield
        finally:
            self._let_go(upload_id)

    def _hold(self, upload_id: str) -> None:
        """Keep this process's other writers away from an upload. Raises Busy."""
        with self._lock:
            if upload_id in self._held:
                raise Busy(f"another writer holds upload {upload_id}")
            self._held.add(upload_id)

    def _let_go(self, upload_id: str) -> None:
        self._held.discard(upload_id)
