"""What storage can fail with, and the one place where an OSError becomes one of them.

    StorageError
      NotFound        no such key, or the bytes of the upload are gone
      Busy            another writer holds this upload
      Unsettled       an earlier commit published this upload's bytes, and nobody has said yet whether that counts
      Full            no space, inodes or quota left, the reserve included
      ReadOnly        the place does not take writes
      Unavailable     anything else that the machine answered: I/O errors, no descriptors left, files cut short
      DigestMismatch  the content is not what the digest says

What these mean to a client is decided by the caller; nothing here knows a status code.
"""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from storage.digest import Digest


class StorageError(Exception):
    """Anything that went wrong in storage."""


class NotFound(StorageError):
    """Nothing is kept under this key, or the bytes of this upload are gone."""

    def __init__(self, key: str) -> None:
        """Name the key or upload that was asked for."""
        super().__init__(f"nothing is stored under {key}")
        self.key = key


class Busy(StorageError):
    """Another writer, in this process or another, holds the upload."""


class Unsettled(StorageError):
    """An earlier commit published the upload's bytes, so they must not be changed.

    Whoever knows the catalog settles it (`BlobStore.settle`): either a row names the key, and the upload is finished;
    or none does, the key goes, and the upload can go on.
    """


class Full(StorageError):
    """No space, no inodes or no quota is left, or only the reserve is."""


class ReadOnly(StorageError):
    """The place does not take writes."""


class Unavailable(StorageError):
    """The storage cannot do it now: an I/O error, no descriptors left, a file shorter than it was."""


class DigestMismatch(StorageError):
    """The content has another digest than was expected."""

    def __init__(self, expected: Digest, actual: Digest) -> None:
        """Keep both digests, for the message to the client."""
        super().__init__(f"expected {expected}, but the content is {actual}")
        self.expected = expected
        self.actual = actual


_BY_ERRNO: Mapping[int, type[StorageError]] = MappingProxyType(
    {errno.ENOSPC: Full, errno.EDQUOT: Full, errno.EROFS: ReadOnly}
)


@contextmanager
def translating(subject: str) -> Iterator[None]:
    """Turn every OSError of the block into a StorageError about `subject`."""
    try:
        yield
    except OSError as error:
        kind = _BY_ERRNO.get(error.errno or 0, Unavailable)
        name = errno.errorcode.get(error.errno or 0, "no errno")
        raise kind(f"{subject}: {error.strerror or error} ({name})") from error


@contextmanager
def finding(key: str) -> Iterator[None]:
    """Do as `translating`, where a missing file means that the key or upload itself is missing."""
    with translating(key):
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(key) from error
