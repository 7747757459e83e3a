"""Blobs on their way down: exactly as many bytes as announced, over as many connections as it takes (end-2).

A connection that breaks is made again for the rest of the bytes (RFC 9110, 14.2); a registry that cannot serve a part
serves all, and what is here already is skipped. Hashing is the reader's; `Registry.blob` is one that does.
"""

import re
import time
from collections.abc import Callable, Iterator

from registry.client.errors import Answered, Interrupted, Untrusted
from registry.client.session import Session
from registry.client.transport import Answer
from registry.oci.descriptors import Descriptor
from registry.oci.names import RepositoryName

_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(?:\d{1,19}|\*)", re.ASCII)
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_PAUSE = 30.0


def read(
    session: Session,
    repository: RepositoryName,
    descriptor: Descriptor,
    offset: int,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[bytes]:
    """Give a blob's bytes from `offset` to its announced size, in blocks as they come; not checked by digest.

    Raises: Untrusted where there are more or fewer bytes; Answered; Interrupted after `Limits.attempts` in a row.
    """
    position, mark, failures = offset, offset, 0
    while position < descriptor.size:
        try:
            for block in _once(session, repository, descriptor, position):
                position += len(block)
                yield block
        except Interrupted:
            failures = 1 if position - mark >= session.limits.progress else failures + 1
            mark = position
            if failures >= session.limits.attempts:
                raise
            sleep(min(session.limits.pause * 2 ** (failures - 1), LONGEST_PAUSE))


def _once(session: Session, repository: RepositoryName, descriptor: Descriptor, position: int) -> Iterator[bytes]:
    path = f"/v2/{repository}/blobs/{descriptor.digest}"
    headers = {"Range": f"bytes={position}-"} if position else {}
    with session.ask("GET", path, (f"repository:{repository}:pull",), headers=headers) as answer:
        if answer.status in _AGAIN:
            raise Interrupted(str(answer.error()))
        if answer.status not in (200, 206):
            raise answer.error()
        skipped = _skipped(answer, position)
        _check_length(answer, descriptor.size - (position - skipped))
        for block in answer.blocks(descriptor.size - (position - skipped)):
            if skipped < len(block):
                yield block[skipped:] if skipped else block
            skipped = max(0, skipped - len(block))


def _skipped(answer: Answer, position: int) -> int:
    """Return how many of the coming bytes are here already. Raises Untrusted where the answer is another part."""
    if answer.status == 200:
        return position
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if match is None or int(match.group(1)) != position:
        raise Untrusted(f"{answer.url.origin} answers with another part of the blob than was asked for")
    return 0


def _check_length(answer: Answer, expected: int) -> None:
    """Refuse a wrong length before a byte of it is read."""
    announced = answer.headers.get("Content-Length", "")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise Untrusted(f"{answer.url.origin} packs what was to come as it is")
    if announced and announced != str(expected):
        raise Untrusted(f"{answer.url.origin} answers with {announced[:20]} bytes in place of {expected}")


def whole(session: Session, repository: RepositoryName, descriptor: Descriptor) -> bytes:
    """Read a small blob. Raises as `read`, and Answered 404 where there is none."""
    if descriptor.size > session.limits.document_size:
        raise Untrusted(f"{descriptor.digest} has {descriptor.size} bytes, more than such a document may have")
    return b"".join(read(session, repository, descriptor, 0))


def exists(session: Session, repository: RepositoryName, descriptor: Descriptor, actions: str) -> bool:
    """Ask whether the registry has a blob, for this user, in this repository (end-2, HEAD). Raises Answered."""
    path = f"/v2/{repository}/blobs/{descriptor.digest}"
    with session.ask("HEAD", path, (f"repository:{repository}:{actions}",)) as answer:
        if answer.status == 404:
            return False
        if answer.status != 200:
            raise Answered(answer.status, "", f"unexpected status from {answer.url.origin}: {answer.status}")
        return answer.headers.get("Content-Length", "") in {"", str(descriptor.size)}
