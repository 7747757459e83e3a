"""Ways to push a blob, each request to the next replica; what is sent is chosen so that every form of an upload's state
on S3 passes from one to the other: no byte yet, less than a part, parts and a rest.

Each returns what went wrong, as the variants of `tests.faults.chunks` do, which the tests run beside these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from tests.faults.client import OCTETS
from tests.faults.oracle import digest_of
from tests.faults.sessions import Session, last_byte, problem, received, slowly, told
from tests.faults.wire import Lost

PART = 8 << 20  # the least part of the settings


@dataclass(frozen=True, slots=True)
class Flow:
    """A way to push; `size`: the bounds of the content's bytes that make sense for it."""

    push: Callable[[Session, bytes, Random], list[str]]
    size: tuple[int, int] = (1, 3 << 20)


def as_docker(session: Session, content: bytes, _: Random) -> list[str]:
    """POST, one PATCH without Content-Range, an empty PUT."""
    reply = session.patch(iter([content[: 1 << 20], content[1 << 20 :]]))
    return problem(reply, 202) or session.finish(content, len(content))


def chunks_of_odd_sizes(session: Session, content: bytes, random: Random) -> list[str]:
    """PATCHes of any size, also below S3's least part and across its border, and the status asked between them."""
    at = 0
    while at < len(content):
        size = random.choice((1, random.randint(1, 5_000), random.randint(1, 6 << 20), PART, PART + 1))
        piece = content[at : at + size]
        found = problem(session.patch(piece, at), 202)
        at += len(piece)
        status = session.status()
        found += problem(status, 204)
        if found or last_byte(status) != at - 1:
            return [*found, f"after {at} bytes the status says {status.header('range')!r}"]
    return session.finish(content, at)


def in_the_put(session: Session, content: bytes, _: Random) -> list[str]:
    """POST, and a PUT with everything."""
    return problem(session.put(digest_of(content), content), 201) or _read(session, content)


def in_the_post(session: Session, content: bytes, _: Random) -> list[str]:
    """One POST with everything; the session that is open already is given up."""
    found = problem(session.cancel(), 204)
    path = f"/v2/{session.repository}/blobs/uploads/?digest={digest_of(content)}"
    return found + problem(session.send("POST", path, content), 201) or _read(session, content)


def mounted(session: Session, content: bytes, _: Random) -> list[str]:
    """Pushed to one repository, mounted into another, read there."""
    found = session.finish(content, 0)
    other = Session(session.server, f"{session.repository}/mounted")
    path = f"/v2/{other.repository}/blobs/uploads/?mount={digest_of(content)}&from={session.repository}"
    return found + problem(other.send("POST", path), 201) or _read(other, content)


def another_algorithm(session: Session, content: bytes, random: Random) -> list[str]:
    """A sha512 that nobody announced, at the close: what one replica wrote, the other reads to hash it."""
    cut = random.randint(0, len(content) - 1)
    found = problem(session.patch(content[:cut], 0), 202) if cut else []
    found += problem(session.patch(content[cut:], cut), 202)
    digest = f"sha512:{hashlib.sha512(content).hexdigest()}"
    found += problem(session.put(digest), 201)
    reply = session.blob(digest)
    return found or ([] if reply.body == content else [f"I4: blob read back: {told(reply)}"])


def cancelled_in_the_middle(session: Session, content: bytes, random: Random) -> list[str]:
    """Cancelled at one replica while the other takes a PATCH of several parts: the session is gone at both."""
    at = session.location
    writer = Session(session.server, session.repository, at)
    with ThreadPoolExecutor(1) as pool:
        patching = pool.submit(_status_of, writer, slowly(content, 8, 0.8), len(content))
        first = session.cancel()
        patched = patching.result()
    found = problem(first, 204, 409)
    if first.status == 409:
        found += problem(Session(session.server, session.repository, at).cancel(), 204)
    elif patched not in (0, 202, 404, 416):
        found.append(f"the PATCH whose session was cancelled elsewhere got {patched}")
    ends = [Session(session.server, session.repository, at) for _ in range(4)]
    found += [text for end in ends[:2] for text in problem(end.status(), 404)]
    return found + [text for end in ends[2:] for text in problem(end.blob(digest_of(content)), 404)]


def sent_to_both(session: Session, content: bytes, random: Random) -> list[str]:
    """The same chunk to both at once, as by a client that gave the first up too early: no byte twice, none missing."""
    cut = random.choice((0, random.randint(1, PART), PART + random.randint(1, PART // 2)))
    found = problem(session.patch(content[:cut], 0), 202) if cut else []
    at, rest = session.location, content[cut:]

    def write(_: int) -> int:
        return _status_of(Session(session.server, session.repository, at), slowly(rest, 4, 0.4), len(rest), cut)

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(write, range(2)))
    if statuses not in ([202, 416], [0, 202]):
        found.append(f"the two were told {statuses}")
    kept = received(session.status())
    return found or ([] if kept == len(content) else [f"the status says {kept}"]) or session.finish(content, kept)


def _status_of(session: Session, body: object, length: int, first: int = 0) -> int:
    """PATCH and give the answer's status; 0 where the server refused and closed before the whole body was sent."""
    headers = {**OCTETS, "Content-Length": str(length), "Content-Range": f"{first}-{first + length - 1}"}
    try:
        with session.server.wire(timeout=60) as wire:
            return wire.call("PATCH", session.location, body, headers).status  # type: ignore[arg-type]  # any Body
    except Lost:
        return 0


def _read(session: Session, content: bytes) -> list[str]:
    """Read the blob at each replica."""
    replies = [session.blob(digest_of(content)) for _ in range(2)]
    return [f"I4: blob read back: {told(reply)}" for reply in replies if reply.body != content]


FLOWS = (
    Flow(as_docker, (1, 20 << 20)),
    Flow(chunks_of_odd_sizes, (1, 20 << 20)),
    Flow(in_the_put, (0, 20 << 20)),
    Flow(in_the_post, (0, 20 << 20)),
    Flow(mounted),
    Flow(another_algorithm, (2, 20 << 20)),
    Flow(cancelled_in_the_middle, (PART * 2, PART * 3)),
    Flow(sent_to_both, (PART * 2, PART * 3)),
)
