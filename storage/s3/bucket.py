"""One bucket: calls with bounded retries, and what its errors mean.

A call is repeated, with growing pauses of random length, as long as its deadline can still be met. When a deadline has
passed and no call at all was answered meanwhile, the next calls fail at once for a moment, so that an outage fills no
pool of threads. An answer that does not say "there is no such key" is never taken for that.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from storage.errors import Full, NotFound, StorageError, Unavailable
from storage.s3.client import answered, connect, failures, lacks_credentials, require_library
from storage.s3.options import S3Options

REST = 1.0
"""Seconds for which nothing is asked of a store that did not answer."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_PASSING = frozenset(
    {"InternalError", "SlowDown", "RequestTimeout", "ServiceUnavailable", "Throttling", "OperationAborted", "BadDigest"}
)
_KINDS: Mapping[str, type[StorageError]] = MappingProxyType({"QuotaExceeded": Full, "EntityTooLarge": Full})
ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "NoSuchBucket": "there is no such bucket; look at storage.s3.bucket and the endpoint",
        "InvalidAccessKeyId": "the store does not know this access key; look at storage.s3.access_key",
        "XAdminUserNotFound": "the store does not know this access key; look at storage.s3.access_key",
        "SignatureDoesNotMatch": "the secret key is wrong; look at storage.s3.secret_key",
        "AccessDenied": "these keys may not do that in this bucket: {right} is missing from their policy",
        "403": "these keys are wrong, or may not do that in this bucket: {right} is missing from their policy",
        "InvalidStorageClass": "the store has no such class; look at storage.s3.storage_class",
        "RequestTimeTooSkewed": "this machine's clock is wrong by minutes; set it, best by NTP",
        "AuthorizationHeaderMalformed": "the bucket is in another region; look at storage.s3.region",
        "PermanentRedirect": "the bucket is in another region; look at storage.s3.region and storage.s3.endpoint",
        "301": "the bucket is in another region; look at storage.s3.region and storage.s3.endpoint",
    }
)
"""What a person can do about an error that does not pass."""
_RIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "list_objects_v2": "s3:ListBucket",
        "list_multipart_uploads": "s3:ListBucketMultipartUploads",
        "get_object": "s3:GetObject",
        "head_object": "s3:GetObject",
        "delete_object": "s3:DeleteObject",
        "abort_multipart_upload": "s3:AbortMultipartUpload",
        "list_parts": "s3:ListMultipartUploadParts",
    }
)
"""What an operation needs; those that are not named write, and need `s3:PutObject`."""

Answer = dict[str, Any]


class UploadGone(NotFound):
    """The store has no such multipart upload: it was completed, aborted or never there."""


class Spoilt(Exception):
    """An answer came, but it is not what it should be: the call is repeated."""


class Bucket:
    """The bucket of `options`; every key that goes in or out is without the prefix."""

    def __init__(self, options: S3Options) -> None:
        """Connect with the first call only. Raises Unavailable where boto3 is not installed."""
        require_library()
        self.options = options
        self._made: Any = None
        self._lock = threading.Lock()
        self._quiet_until = 0.0
        self._answered_at = 0.0

    @property
    def _client(self) -> Any:
        with self._lock:  # making one takes a while, and is not safe in two threads
            if self._made is None:
                self._made = connect(self.options, self.options.endpoint)
        return self._made

    def call(
        self,
        operation: str,
        subject: str,
        *,
        body: Callable[[], object] | None = None,
        accept: Callable[[Answer], None] | None = None,
        **arguments: object,
    ) -> Answer:
        """Do one operation of the S3 API; `subject` is what it is about, for the message.

        Args:   body: gives the request's content, once for each attempt; accept: raises Spoilt for a bad answer.
        Raises: NotFound; UploadGone; Full; Unavailable when the deadline cannot be met.
        """
        self._refuse_if_quiet(subject)
        begun = time.monotonic()
        end = begun + self.options.deadline
        caught: tuple[type[Exception], ...] = (Spoilt, *failures())
        for pause in _pauses():
            try:
                return self._attempt(operation, body, accept, arguments)
            except caught as error:
                final = _final(error, operation, subject)
                if final is not None:
                    raise final from error
                if time.monotonic() + pause + self.options.read_timeout > end:
                    self._note_silence(begun)
                    raise Unavailable(f"{subject}: {_silence(error)}: {error}") from error
            time.sleep(pause)
        raise AssertionError("pauses never end")

    def _attempt(
        self,
        operation: str,
        body: Callable[[], object] | None,
        accept: Callable[[Answer], None] | None,
        arguments: Mapping[str, object],
    ) -> Answer:
        content = {} if body is None else {"Body": body()}
        try:
            answer: Answer = getattr(self._client, operation)(Bucket=self.options.bucket, **arguments, **content)
        except Exception as error:
            if answered(error) is not None:
                self._answered_at = time.monotonic()
            raise
        self._answered_at = time.monotonic()
        if accept is not None:
            accept(answer)
        return answer

    def _refuse_if_quiet(self, subject: str) -> None:
        if time.monotonic() < self._quiet_until:
            raise Unavailable(f"{subject}: the S3 store did not answer a moment ago")

    def _note_silence(self, since: float) -> None:
        if self._answered_at < since:
            self._quiet_until = time.monotonic() + REST

    def full(self, key: str) -> str:
        """Give a key as the bucket has it."""
        return self.options.prefix + key

    def head(self, key: str) -> Answer:
        """Tell about an object. Raises NotFound."""
        return self.call("head_object", key, Key=self.full(key))

    def delete(self, key: str) -> None:
        """Remove an object; idempotent."""
        self.call("delete_object", key, Key=self.full(key))

    def objects(self, start: str) -> Iterator[Answer]:
        """List the objects whose keys start so, page by page as they are asked for."""
        more: dict[str, Any] = {}
        while True:
            page = self.call("list_objects_v2", f"{start}…", Prefix=self.full(start), **more)
            for found in page.get("Contents", ()):
                yield found | {"Key": found["Key"].removeprefix(self.options.prefix)}
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def multiparts(self, start: str) -> Iterator[Answer]:
        """List the open multipart uploads whose keys start so.

        A page is asked for by the last key alone, for servers differ in what they do with the last upload: some refuse
        it, some give that key's uploads again, and others leave the rest of them out.
        """
        marker, known = "", set[str]()
        while True:
            more: dict[str, Any] = {"KeyMarker": marker} if marker else {}
            page = self.call("list_multipart_uploads", f"{start}…", Prefix=self.full(start), **more)
            found = [item for item in page.get("Uploads", ()) if item["UploadId"] not in known]
            for item in found:
                yield item | {"Key": item["Key"].removeprefix(self.options.prefix)}
            if not page.get("IsTruncated") or page["NextKeyMarker"] == marker:
                return
            marker, known = page["NextKeyMarker"], {item["UploadId"] for item in found}

    def abort(self, key: str, s3_upload: str) -> None:
        """Abort a multipart upload; idempotent."""
        try:
            self.call("abort_multipart_upload", key, Key=self.full(key), UploadId=s3_upload)
        except NotFound:
            return


def _pauses() -> Iterator[float]:
    longest = _FIRST_PAUSE
    while True:
        yield random.SystemRandom().uniform(longest / 2, longest)  # spreads retries
        longest = min(longest * 2, _LONGEST_PAUSE)


def _silence(error: Exception) -> str:
    if isinstance(error, Spoilt) or answered(error) is not None:
        return "the S3 store does not answer well"
    return "the S3 store cannot be reached; if it is up, look at storage.s3.endpoint and path_style"


def _final(error: Exception, operation: str, subject: str) -> StorageError | None:
    """Give what an error means that no repetition will heal; None where one may."""
    if lacks_credentials(error):
        return Unavailable(f"{subject}: no keys for the S3 store were found; set storage.s3.access_key and secret_key")
    told = answered(error)
    if told is None:
        return None
    code, status, message = told
    if code == "NoSuchUpload":
        return UploadGone(subject)
    if code in ("NoSuchKey", "404", "InvalidPart"):  # the last: a part is gone, or another writer's has its number
        return NotFound(subject)
    if code in _PASSING or status >= 500 or status == 429 or status == 200:
        return None
    advice = ADVICE.get(code, message or "refused").replace("{right}", _RIGHTS.get(operation, "s3:PutObject"))
    return _KINDS.get(code, Unavailable)(f"{subject}: {advice} ({code})")
