"""Reading what a request says of its body, and the body itself, within limits."""

import re

from starlette.requests import Request
from starlette.types import Scope

from registry.content.reception import ChunkRange
from registry.edge.bridge import whole_body
from registry.oci.errors import ErrorCode, RegistryError
from storage.digest import Digest

NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
CONTENT_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)


def announced_length(request: Request) -> int | None:
    """Give Content-Length; None for a chunked body. Raises SIZE_INVALID."""
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not NUMBER.fullmatch(text):
        raise RegistryError(ErrorCode.SIZE_INVALID, "Content-Length is not a whole number")
    return int(text)


def announced_type(request: Request) -> str | None:
    """Give Content-Type without its parameters, which the specification has us ignore."""
    text = request.headers.get("content-type", "").partition(";")[0].strip()
    return text or None


def announced_chunk(request: Request) -> ChunkRange:
    """Read Content-Range, `<start>-<end>`, both inclusive, and without a unit (spec, "Pushing a blob in chunks").

    Raises: BLOB_UPLOAD_INVALID for another form; SIZE_INVALID where Content-Length contradicts.
    """
    length = announced_length(request)
    text = request.headers.get("content-range")
    if text is None:
        return ChunkRange(length=length)
    found = CONTENT_RANGE.fullmatch(text)
    if found is None or int(found[2]) < int(found[1]):
        raise RegistryError(
            ErrorCode.BLOB_UPLOAD_INVALID, "Content-Range has to be '<first byte>-<last byte>', such as 0-1023"
        )
    start, stop = int(found[1]), int(found[2]) + 1
    if length is not None and length != stop - start:
        raise RegistryError(
            ErrorCode.SIZE_INVALID, f"Content-Range spans {stop - start} bytes, but Content-Length is {length}"
        )
    return ChunkRange(start=start, length=stop - start)


async def read_limited(request: Request, limit: int, too_large: ErrorCode) -> bytes:
    """Read a whole body of at most `limit` bytes. Raises `too_large`, or ClientGone."""
    announced = announced_length(request)
    content = None if announced is not None and announced > limit else await whole_body(request.receive, limit)
    if content is None:
        raise RegistryError(too_large, f"{too_large.message}; the limit is {limit} bytes")
    return content


def not_modified(scope: Scope, digest: Digest) -> bool:
    """Tell whether If-None-Match names this content (RFC 9110, section 13.1.2, weak comparison)."""
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            tags = [part.strip().removeprefix("W/") for part in value.decode("latin-1").split(",")]
            return "*" in tags or f'"{digest}"' in tags
    return False
