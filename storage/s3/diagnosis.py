"""Whether a bucket can be used, before anything is served from it: reachable, with these keys' rights, and ours.

A bucket, or the prefix of it that was chosen, is ours once it holds the object `format`; one that holds other things is
refused, for nobody could tell later what belongs to whom.
"""

import uuid
from collections.abc import Mapping

from storage.errors import NotFound, StorageError, Unavailable
from storage.s3.bucket import Answer, Bucket
from storage.s3.client import moved_to
from storage.s3.options import S3Options
from storage.s3.session import new_name
from storage.s3.writer import key_of

FORMAT = 1
_KEY = "format"


class ForeignBucket(StorageError):
    """The bucket cannot be used as it is; the message says why and what to do."""


def survey(options: S3Options) -> None:
    """See whether a server could start on the bucket, and leave nothing there.

    Raises: ForeignBucket if it is somebody else's, elsewhere or of a newer format; Unavailable with what to do.
    """
    bucket = Bucket(options)
    _look(bucket)
    _try_an_upload(bucket)


def claim(options: S3Options) -> None:
    """Do as `survey`, and make an empty bucket ours."""
    bucket = Bucket(options)
    ours = _look(bucket)
    _try_an_upload(bucket)
    if not ours:
        bucket.call("put_object", _KEY, body=lambda: f"{FORMAT}\n".encode(), Key=bucket.full(_KEY))


def _look(bucket: Bucket) -> bool:
    """Tell whether it is ours already."""
    page = bucket.call("list_objects_v2", _place(bucket), Prefix=bucket.options.prefix, MaxKeys=1)
    _refuse_other_region(bucket, page)
    try:
        text = b"".join(bucket.call("get_object", _KEY, Key=bucket.full(_KEY))["Body"].iter_chunks()).strip()
    except NotFound:
        for found in page.get("Contents", ()):
            name = found["Key"].removeprefix(bucket.options.prefix)
            raise ForeignBucket(
                f"{_place(bucket)} is neither empty nor ours (it holds {name}): choose another by storage.s3.bucket, or"
                " a prefix that is not in use by storage.s3.prefix"
            ) from None
        return False
    if not text.isdigit() or int(text) != FORMAT:
        raise ForeignBucket(
            f"{_place(bucket)} has data format {text[:20].decode('ascii', 'replace')!r}, and this version knows "
            f"format {FORMAT}; use the version of Moorage that wrote it, or a newer one"
        )
    return True


def _refuse_other_region(bucket: Bucket, answer: Answer) -> None:
    region = moved_to(answer)
    if region is not None:
        raise ForeignBucket(
            f"{_place(bucket)} is in another region, {region}, and clients would be sent to addresses that the store"
            " refuses: set storage.s3.region to it"
        )


def _try_an_upload(bucket: Bucket) -> None:
    """Open an upload of many parts, look at it and give it up: nothing stays, and nearly every right was needed."""
    subject, key = f"an upload to {_place(bucket)}", key_of(uuid.uuid4().hex, new_name())
    wishes = bucket.options.written_with
    try:
        opened = bucket.call("create_multipart_upload", subject, Key=bucket.full(key), **wishes)
    except StorageError as error:
        raise _with_wishes(error, wishes) from error
    try:
        _refuse_plain(bucket, opened)
        bucket.call("list_parts", subject, Key=bucket.full(key), UploadId=opened["UploadId"], MaxParts=1)
        next(bucket.multiparts(key), None)
    finally:
        bucket.abort(key, opened["UploadId"])


def _refuse_plain(bucket: Bucket, opened: Answer) -> None:
    """See that the store will encrypt if it shall: those that cannot take the wish and say nothing."""
    wish = bucket.options.sse
    if wish is not None and opened.get("ServerSideEncryption") != wish:
        raise ForeignBucket(
            f"the store of {_place(bucket)} does not encrypt: it takes uploads that ask for {wish} and does not confirm"
            " it. Leave storage.s3.sse out, or use a store that does"
        )


def _with_wishes(error: StorageError, wishes: Mapping[str, str]) -> StorageError:
    """Say what was asked for: of some servers, the refusal itself says nothing."""
    if not wishes:
        return error
    asked = ", ".join(f"{name} {value}" for name, value in wishes.items())
    return Unavailable(f"{error}; it was asked for {asked}: look at storage.s3.storage_class, sse and sse_kms_key")


def _place(bucket: Bucket) -> str:
    return f"the bucket {bucket.options.bucket}/{bucket.options.prefix}"
