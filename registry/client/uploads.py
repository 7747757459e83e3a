"""Blobs on their way up (end-4 to end-6, end-11): mounted from a neighbour, or sent in one piece and closed."""

import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode

from registry.client.errors import Interrupted, Untrusted
from registry.client.origins import Url
from registry.client.session import Session
from registry.oci.descriptors import Descriptor
from registry.oci.names import RepositoryName

Source = Callable[[int], Iterator[bytes]]
"""Gives a blob's bytes from an offset on."""

_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,19})", re.ASCII)


def mount(session: Session, repository: RepositoryName, descriptor: Descriptor, source: RepositoryName) -> Url | None:
    """Ask for a blob that another repository has (end-11); None where it is here now, else where to send it.

    Raises: Answered; Untrusted.
    """
    query = urlencode({"mount": str(descriptor.digest), "from": str(source)})
    scopes = (f"repository:{repository}:pull,push", f"repository:{source}:pull")
    return _begin(session, f"/v2/{repository}/blobs/uploads/?{query}", scopes)


def push(
    session: Session,
    repository: RepositoryName,
    descriptor: Descriptor,
    source: Source,
    place: Url | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Send a blob, from where a broken connection left off.

    Args:   place: where `mount` said to send it.
    Raises: Answered, Untrusted; Interrupted after `Limits.attempts`.
    """
    scopes = (f"repository:{repository}:pull,push",)
    place = place or _begin(session, f"/v2/{repository}/blobs/uploads/", scopes)
    if place is None:
        raise Untrusted(f"{session.host} says that it has {descriptor.digest} before it was sent")
    offset, failures = 0, 0
    while offset < descriptor.size or descriptor.size == 0:
        try:
            place = _send(session, place, scopes, descriptor, source, offset)
            break
        except Interrupted:
            failures += 1
            if failures >= session.limits.attempts:
                raise
            sleep(session.limits.pause * 2 ** (failures - 1))
            place, offset = _where(session, place, scopes)
    _close(session, place, scopes, descriptor)


def _begin(session: Session, path: str, scopes: tuple[str, ...]) -> Url | None:
    with session.ask("POST", path, scopes, headers={"Content-Length": "0"}) as answer:
        if answer.status == 201:
            return None
        if answer.status != 202:
            raise answer.error()
        return session.place(answer)


def _send(
    session: Session, place: Url, scopes: tuple[str, ...], descriptor: Descriptor, source: Source, offset: int
) -> Url:
    length = descriptor.size - offset
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
    if offset:
        headers["Content-Range"] = f"{offset}-{descriptor.size - 1}"

    def body() -> Iterator[bytes]:
        return source(offset)

    with session.ask("PATCH", place, scopes, headers=headers, body=body, patience=session.limits.commit) as answer:
        if answer.status != 202:
            raise answer.error()
        return session.place(answer)


def _where(session: Session, place: Url, scopes: tuple[str, ...]) -> tuple[Url, int]:
    """Ask how much of an upload has arrived (end-13)."""
    with session.ask("GET", place, scopes) as answer:
        if answer.status != 204:
            raise answer.error()
        match = _RANGE.fullmatch(answer.headers.get("Range", "0-0"))
        if match is None:
            raise Untrusted(f"{session.host} does not say how much of the upload it has")
        end = int(match.group(1))
        return session.place(answer), end + 1 if end else 0


def _close(session: Session, place: Url, scopes: tuple[str, ...], descriptor: Descriptor) -> None:
    joint = "&" if "?" in place.target else "?"
    url = Url(place.origin, f"{place.target}{joint}digest={quote(str(descriptor.digest), safe='')}")
    with session.ask("PUT", url, scopes, headers={"Content-Length": "0"}, patience=session.limits.commit) as answer:
        if answer.status != 201:
            raise answer.error()
