"""Reading an object: the range that was asked for or an error, never a byte less; a connection that breaks is replaced.

The object never changes under its key, so a read can go on with a new request where the last one ended.
"""

import time
from collections.abc import Generator
from contextlib import closing
from typing import Any

from storage.errors import Unavailable
from storage.s3.bucket import Answer, Bucket, Spoilt
from storage.s3.client import failures

BLOCK = 1 << 20


def blocks(bucket: Bucket, key: str, start: int, stop: int | None) -> Generator[bytes, None, None]:
    """Open the object now, and yield the half-open range in blocks of at most 1 MiB; without `stop`, to the end.

    Raises: NotFound, by the call itself; Unavailable.
    """
    reader = _blocks(bucket, key, start, stop)
    next(reader)  # opens it
    return reader


def _blocks(bucket: Bucket, key: str, start: int, stop: int | None) -> Generator[bytes, None, None]:
    size = int(bucket.head(key)["ContentLength"]) if stop is None or stop == start else 0
    end = size if stop is None else stop
    answer = _opened(bucket, key, start, end) if start < end else None
    yield b""
    moved = time.monotonic()
    while answer is not None:
        with closing(answer["Body"]) as body:
            position = start
            try:
                while block := body.read(min(BLOCK, end - start)):
                    start += len(block)
                    yield block
                    moved = time.monotonic()
            except failures() as error:
                _refuse_if_late(bucket, key, start, moved, error)
        if start >= end:
            return
        if start == position:
            _refuse_if_late(bucket, key, start, moved, None)
            time.sleep(0.1)
        answer = _opened(bucket, key, start, end)


def _opened(bucket: Bucket, key: str, start: int, end: int) -> Answer:
    def accept(answer: Answer) -> None:
        if not str(answer.get("ContentRange", "")).startswith(f"bytes {start}-"):
            raise Spoilt("it answered another range than was asked for")

    return bucket.call("get_object", key, accept=accept, Key=bucket.full(key), Range=f"bytes={start}-{end - 1}")


def _refuse_if_late(bucket: Bucket, key: str, position: int, moved: float, error: Any) -> None:
    """Give up a read that has not moved for as long as a call may take."""
    if time.monotonic() - moved > bucket.options.deadline / 2:
        raise Unavailable(f"{key}: the S3 store sends nothing from byte {position} on: {error}")
