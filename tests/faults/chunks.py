"""Check C5: the chunk protocol on one server with several workers, every request on a fresh connection.

    python -m tests.faults.chunks --count 20 --seed 1
    python -m tests.faults.chunks --count 2 --sabotage skip-offset-check      # must fail: a chunk lands anywhere

Sixteen variants, each `count` times: chunks in order, streamed, overlapping, leaving a gap, sent twice, of the wrong
length, with a Content-Range that is none; two and eight writers at once; the last chunk in the PUT, in order and not; a
wrong digest; cancel before and during a PATCH; going on after SIGTERM and after SIGKILL. The code must be right, the
session must stay usable, and the blob read back must be the one that was meant.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from tests.faults.oracle import digest_of
from tests.faults.report import Options, Report, main
from tests.faults.sessions import Session, last_byte, problem, received, slowly
from tests.faults.target import Server
from tests.faults.wire import Lost, Reply

Variant = Callable[[Session, bytes, int, Random], list[str]]


def in_order(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """Two chunks with Content-Range; Range names the last byte each time."""
    found = []
    for first, last in ((0, cut), (cut, len(content))):
        reply = session.patch(content[first:last], first)
        found += problem(reply, 202)
        found += [] if last_byte(reply) == last - 1 else [f"Range after {last} bytes is {reply.header('range')!r}"]
    return found or session.finish(content, len(content))


def streamed(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """As docker: chunked transfer, no Content-Range, then more of the same."""
    found = problem(session.patch(iter([content[:cut]])), 202) + problem(session.patch(iter([content[cut:]])), 202)
    return found or session.finish(content, len(content))


def _refused(session: Session, content: bytes, cut: int, wrong: Reply, *statuses: int) -> list[str]:
    """After a refusal the status still tells the truth and the upload can be finished."""
    found = problem(wrong, *statuses)
    status = session.status()
    found += problem(status, 204)
    if last_byte(status) != cut - 1:
        found.append(f"after the refusal Range is {status.header('range')!r}, {cut} bytes were acknowledged")
    return found + session.finish(content, cut)


def overlap(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """A chunk that begins before the end of what is there: 416."""
    session.patch(content[:cut], 0)
    return _refused(session, content, cut, session.patch(content[cut // 2 :], cut // 2), 416)


def gap(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """A chunk that leaves a hole: 416."""
    session.patch(content[:cut], 0)
    return _refused(session, content, cut, session.patch(content[cut + 5 :], cut + 5), 416)


def duplicate(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """The same chunk once more: 416, and nothing is appended."""
    session.patch(content[:cut], 0)
    return _refused(session, content, cut, session.patch(content[:cut], 0), 416)


def wrong_length(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """A Content-Range that does not fit the body: refused, and nothing of it is kept."""
    session.patch(content[:cut], 0)
    wrong = session.patch(content[cut:], cut, length=len(content) - cut + 7)
    return _refused(session, content, cut, wrong, 400, 416)


def not_a_range(session: Session, content: bytes, cut: int, random: Random) -> list[str]:
    """A Content-Range outside the grammar: refused."""
    session.patch(content[:cut], 0)
    value = random.choice(
        ("abc", "5", "-5", f"{cut}-", "9-1", f"{cut}-{len(content)}-1", "\u0665-9".encode().decode("latin-1"))
    )
    wrong = session.send("PATCH", session.location, content[cut:], Content_Range=value)
    return _refused(session, content, cut, wrong, 400, 416)


def _writers(session: Session, content: bytes, cut: int, number: int) -> list[str]:
    """Several writers at the same offset at once: one wins, the others are refused, their bytes never mix."""
    session.patch(content[:cut], 0)
    size = len(content) - cut
    tails = [bytes([65 + n]) * size for n in range(number)]
    at = session.location

    def write(tail: bytes) -> int:
        mine = Session(session.server, session.repository, at)
        try:
            return mine.patch(slowly(tail, 6, 0.3), cut, size).status
        except Lost:
            return 0  # the server may refuse and close before the whole body is sent

    with ThreadPoolExecutor(number) as pool:
        statuses = list(pool.map(write, tails))
    won = [tail for tail, status in zip(tails, statuses, strict=True) if status == 202]
    found = [] if set(statuses) <= {202, 409, 416, 0} else [f"writers got {statuses}"]
    if len(won) > 1:
        return [*found, f"{len(won)} writers were told 202 for the same bytes"]
    kept = received(session.status())
    if won:
        content = content[:cut] + won[0]
    found += [] if kept == (len(content) if won else cut) else [f"{statuses}: the status says {kept} bytes"]
    return found or session.finish(content, kept)


def two_writers(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """Two at once."""
    return _writers(session, content, cut, 2)


def eight_writers(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """Eight at once."""
    return _writers(session, content, cut, 8)


def last_chunk_in_put(session: Session, content: bytes, cut: int, random: Random) -> list[str]:
    """The closing PUT carries the rest, with and without Content-Range."""
    session.patch(content[:cut], 0)
    reply = session.put(digest_of(content), content[cut:], cut if random.random() < 0.5 else None)
    found = problem(reply, 201)
    return found or ([] if session.blob(digest_of(content)).body == content else ["I4: blob read back differs"])


def put_out_of_order(session: Session, content: bytes, cut: int, random: Random) -> list[str]:
    """A closing PUT whose chunk lies elsewhere: 416, and the session survives."""
    session.patch(content[:cut], 0)
    wrong = session.put(digest_of(content), content[cut:], cut + random.choice((-1, 1, 9)))
    return _refused(session, content, cut, wrong, 416)


def wrong_digest(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """A digest that is not the content's: 400, and no such blob is there."""
    session.patch(content[:cut], 0)
    other = digest_of(content + b"x")
    found = problem(session.put(other, content[cut:]), 400)
    return found + [text for digest in (other, digest_of(content)) for text in problem(session.blob(digest), 404)]


def cancel(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """A cancelled session is gone: every further request is 404."""
    session.patch(content[:cut], 0)
    found = problem(session.cancel(), 204)
    return found + problem(session.status(), 404) + problem(session.put(digest_of(content), content[cut:]), 404)


def cancel_during_patch(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """Cancel while bytes stream in: either at once (204) or refused (409) until the PATCH is over; never a blob."""
    session.patch(content[:cut], 0)
    at = session.location
    writer = Session(session.server, session.repository, at)
    with ThreadPoolExecutor(1) as pool:
        patching = pool.submit(writer.patch, slowly(content[cut:], 6, 0.4), cut, len(content) - cut)
        session.location = at
        first = session.cancel()
        try:
            patched = patching.result().status
        except Lost:
            patched = 0
    found = problem(first, 204, 409)
    if first.status == 409:
        found += problem(Session(session.server, session.repository, at).cancel(), 204)
    elif patched == 202 and problem(Session(session.server, session.repository, at).status(), 404):
        found.append("the PATCH was told 202, the cancel 204, and the session is still there")
    end = Session(session.server, session.repository, at)
    return found + problem(end.status(), 404) + problem(end.blob(digest_of(content)), 404)


def after_sigterm(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """The server is restarted between two chunks; the status is true and the upload goes on."""
    session.patch(content[:cut], 0)
    session.server.stop()
    return _restarted(session, content, cut)


def after_sigkill(session: Session, content: bytes, cut: int, _: Random) -> list[str]:
    """The server is killed between two chunks; what was told 202 is still there."""
    session.patch(content[:cut], 0)
    session.server.kill()
    return _restarted(session, content, cut)


def _restarted(session: Session, content: bytes, cut: int) -> list[str]:
    session.server.start()
    status = session.status()
    found = problem(status, 204)
    if last_byte(status) != cut - 1:
        found.append(f"after the restart Range is {status.header('range')!r}, {cut} bytes were acknowledged")
    return found or session.finish(content, cut)


VARIANTS: tuple[Variant, ...] = (
    in_order,
    streamed,
    overlap,
    gap,
    duplicate,
    wrong_length,
    not_a_range,
    two_writers,
    eight_writers,
    last_chunk_in_put,
    put_out_of_order,
    wrong_digest,
    cancel,
    cancel_during_patch,
    after_sigterm,
    after_sigkill,
)


def check(options: Options) -> Report:
    """Run every variant `count` times."""
    report = Report("C5", options.seed)
    random = options.random()
    with tempfile.TemporaryDirectory(prefix="moorage-chunks-") as work, Server(Path(work) / "data", options) as server:
        server.start()
        for _ in range(options.count):
            for variant in VARIANTS:
                content = random.randbytes(random.choice((64, 4_000, 300_000, 2_500_000)))
                cut = random.randint(20, len(content) - 20)
                report.fault([f"{variant.__name__}: {text}" for text in _one(variant, server, content, cut, random)])
    report.extra = {"variants": len(VARIANTS)}
    return report


def _one(variant: Variant, server: Server, content: bytes, cut: int, random: Random) -> list[str]:
    try:
        return variant(Session(server, "faults/chunks").open(), content, cut, random)
    except Lost as error:
        return [f"no answer: {error}"]


if __name__ == "__main__":
    sys.exit(main(check, count=20, about=__doc__))
