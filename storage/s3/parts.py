"""The objects of an upload as they are written: parts that go out beside each other, whole small objects, the end.

Each is sent with its MD5, and the ETag that comes back is compared with it (where the store's encryption leaves it that
meaning), so that what was stored is known before anybody is told. Knows no upload session.
"""

import base64
import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from storage.digest import Digest
from storage.errors import DigestMismatch, NotFound, StorageError, Unavailable
from storage.hashing import Hasher
from storage.s3.bucket import Answer, Bucket, Spoilt, UploadGone
from storage.s3.buffers import Part
from storage.s3.reading import blocks

_OPAQUE = "aws:kms"  # objects that are encrypted so have ETags that are no MD5
_TYPE = "application/octet-stream"


def put(bucket: Bucket, key: str, part: Part) -> str:
    """Write a small object at once; give its MD5 in hexadecimal."""
    md5 = part.md5()
    bucket.call(
        "put_object",
        key,
        body=part.body,
        accept=_has(md5),
        Key=bucket.full(key),
        ContentMD5=_base64(md5),
        ContentLength=part.size,
        ContentType=_TYPE,
        **bucket.options.written_with,
    )
    return md5.hex()


class Multipart:
    """A multipart upload to one key. Parts are sent in the background, `parallel_parts` of them at most."""

    def __init__(
        self, bucket: Bucket, pool: ThreadPoolExecutor, key: str, s3_upload: str, etags: tuple[str, ...] = ()
    ) -> None:
        """Go on with one that exists."""
        self._bucket = bucket
        self._pool = pool
        self.key = key
        self.id = s3_upload
        self.etags = list(etags)
        self._under_way: deque[Future[str]] = deque()

    @classmethod
    def create(cls, bucket: Bucket, pool: ThreadPoolExecutor, key: str) -> "Multipart":
        """Begin a new one."""
        answer = bucket.call(
            "create_multipart_upload", key, Key=bucket.full(key), ContentType=_TYPE, **bucket.options.written_with
        )
        return cls(bucket, pool, key, str(answer["UploadId"]))

    def send(self, part: Part) -> None:
        """Take a part; it is released when it is sent. Raises what an earlier part failed with."""
        try:
            while len(self._under_way) >= self._bucket.options.parallel_parts:
                self._land()
        except BaseException:
            part.release()
            raise
        number = len(self.etags) + len(self._under_way) + 1
        self._under_way.append(self._pool.submit(self._send, number, part))

    def make_room(self) -> bool:
        """Wait for the oldest part that is under way; False where there is none."""
        if not self._under_way:
            return False
        self._land()
        return True

    def land(self) -> None:
        """Wait until every part is stored. Raises what one of them failed with."""
        while self.make_room():
            continue

    def settle_down(self) -> None:
        """Wait until nothing is under way, however that ends."""
        while self._under_way:
            with suppress(StorageError):
                self._land()

    def _land(self) -> None:
        self.etags.append(self._under_way.popleft().result())

    def _send(self, number: int, part: Part) -> str:
        try:
            md5 = part.md5()
            answer = self._bucket.call(
                "upload_part",
                f"part {number} of {self.key}",
                body=part.body,
                accept=_has(md5),
                Key=self._bucket.full(self.key),
                UploadId=self.id,
                PartNumber=number,
                ContentMD5=_base64(md5),
                ContentLength=part.size,
            )
            return _etag(answer)
        finally:
            part.release()

    def has_parts(self) -> bool:
        """Ask the store whether the parts that we know are still there, by the last of them."""
        count = len(self.etags)
        try:
            answer = self._bucket.call(
                "list_parts",
                self.key,
                Key=self._bucket.full(self.key),
                UploadId=self.id,
                PartNumberMarker=count - 1,
                MaxParts=1,
            )
        except NotFound:
            return False
        return [(part["PartNumber"], _etag(part)) for part in answer.get("Parts", ())] == [(count, self.etags[-1])]

    def complete(self, size: int, digest: Digest) -> None:
        """Make the parts one object of that size and digest.

        A reply that was lost shows as "no such upload" the next time: then the key is looked at.
        """
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(self.etags, 1)]
        expected = _joint(self.etags)
        try:
            answer = self._bucket.call(
                "complete_multipart_upload",
                self.key,
                Key=self._bucket.full(self.key),
                UploadId=self.id,
                MultipartUpload={"Parts": parts},
            )
        except UploadGone:
            self._look(size, digest, expected)
            return
        if _etag(answer) != expected and self._bucket.head(self.key)["ContentLength"] != size:
            raise Unavailable(f"{self.key}: the S3 store made an object of another size of the parts")

    def _look(self, size: int, digest: Digest, expected: str | None) -> None:
        found = self._bucket.head(self.key)
        if found["ContentLength"] != size or _etag(found) != expected:
            check_content(self._bucket, self.key, digest)

    def abort(self) -> None:
        """Give it up, once nothing is under way. Idempotent."""
        self.settle_down()
        self._bucket.abort(self.key, self.id)


def check_content(bucket: Bucket, key: str, digest: Digest) -> None:
    """Read an object. Raises DigestMismatch if it is not the content of that digest."""
    hasher = Hasher(digest.algorithm)
    for block in blocks(bucket, key, 0, None):
        hasher.update(block)
    if hasher.digest() != digest:
        raise DigestMismatch(digest, hasher.digest())


def _etag(answer: Answer) -> str:
    return str(answer.get("ETag", "")).strip('"')


def _has(md5: bytes) -> Callable[[Answer], None]:
    """Give a check that an answer's ETag is the MD5 that was sent, where ETags are that."""

    def check(answer: Answer) -> None:
        if answer.get("ServerSideEncryption", "").startswith(_OPAQUE):
            return
        if _etag(answer).lower() != md5.hex():
            raise Spoilt("it acknowledged other bytes than were sent")

    return check


def _joint(etags: list[str]) -> str | None:
    """Give the ETag of an object made of parts, where those of the parts are MD5s: S3's way of joining them."""
    try:
        joined = b"".join(map(bytes.fromhex, etags))
    except ValueError:
        return None
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(etags)}"


def _base64(md5: bytes) -> str:
    return base64.b64encode(md5).decode()
