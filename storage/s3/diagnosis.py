"""Whether a bucket can be used, before anything is served from it: reachable, with these keys, and ours.

A bucket, or the prefix of it that was chosen, is ours once it holds the object `format`; one that holds other things is
refused, for nobody could tell later what belongs to whom.
"""

from itertools import islice

from storage.errors import NotFound, StorageError
from storage.s3.bucket import Bucket
from storage.s3.options import S3Options

FORMAT = 1
_KEY = "format"


class ForeignBucket(StorageError):
    """The bucket cannot be used as it is; the message says why and what to do."""


def survey(options: S3Options) -> None:
    """See whether a server could start on the bucket, and change nothing.

    Raises: ForeignBucket if it is somebody else's or of a newer format; Unavailable with what to do.
    """
    _look(Bucket(options))


def claim(options: S3Options) -> None:
    """Do as `survey`, and make an empty bucket ours."""
    bucket = Bucket(options)
    if not _look(bucket):
        bucket.call("put_object", _KEY, body=lambda: f"{FORMAT}\n".encode(), Key=bucket.full(_KEY))


def _look(bucket: Bucket) -> bool:
    """Tell whether it is ours already."""
    place = f"{bucket.options.bucket}/{bucket.options.prefix}"
    found = [item["Key"] for item in islice(bucket.objects(""), 1)]
    try:
        text = b"".join(bucket.call("get_object", _KEY, Key=bucket.full(_KEY))["Body"].iter_chunks()).strip()
    except NotFound:
        if found:
            raise ForeignBucket(
                f"the bucket {place} is neither empty nor ours (it holds {found[0]}); choose another, or a prefix that "
                "is not in use, by storage.s3.prefix"
            ) from None
        return False
    if not text.isdigit() or int(text) != FORMAT:
        raise ForeignBucket(
            f"the bucket {place} has data format {text[:20].decode('ascii', 'replace')!r}, and this version knows "
            f"format {FORMAT}; use the version of Moorage that wrote it, or a newer one"
        )
    return True
