"""Check C3: many clients push the same 8 MiB blob at once; every tenth round its stored file was corrupted before.

    python -m tests.faults.same_blob --count 100 --seed 1
    python -m tests.faults.same_blob --count 1 --sabotage trust-what-is-there      # must fail: corruption stays

All pushes are answered with 201, the blob read back afterwards has the right hash (I4), and one file is left of it.
The corrupted round is the one place where a check touches the data directory: it overwrites bytes in the middle.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.oracle import digest_of
from tests.faults.report import Options, Report, main
from tests.faults.sessions import Session, told
from tests.faults.target import Server
from tests.faults.wire import Lost

CLIENTS = 32
SIZE = 8 << 20
CORRUPT_EVERY = 10
READS = 6
LEFT_OVER = 15.0  # seconds after which only one file may be left


def check(options: Options) -> Report:
    """Run `count` rounds; round 1, 11, 21 … starts with a corrupt file."""
    report = Report("C3", options.seed)
    random = options.random()
    with tempfile.TemporaryDirectory(prefix="moorage-same-") as work, Server(Path(work) / "data", options) as server:
        server.start()
        contents: dict[str, bytes] = {}
        for number in range(options.count):
            content = random.randbytes(SIZE)
            found = round_of(server, content, corrupt=number % CORRUPT_EVERY == 0)
            contents[digest_of(content)] = content if number % CORRUPT_EVERY == 0 else b""
            report.fault(found if number + 1 < options.count else found + at_the_end(server, contents))
    report.extra = {"pushes": options.count * CLIENTS}
    return report


def round_of(server: Server, content: bytes, *, corrupt: bool) -> list[str]:
    """Push one blob from all clients at once; returns what was wrong."""
    digest = digest_of(content)
    if corrupt:
        _push(server, content, 1)
        _read_back(server, content, digest)  # whatever a worker remembers of the blob, it remembers now
        for path in stored(server, digest):
            with path.open("r+b") as file:
                file.seek(SIZE // 2)
                file.write(b"corrupt " * 64)
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda number: _push(server, content, number), range(CLIENTS)))
    found = [f"push {number}: {answer}" for number, answer in enumerate(answers) if answer]
    when = "corrupted before, " if corrupt else ""
    return found + [f"I4: {when}{text}" for text in _read_back(server, content, digest)]


def at_the_end(server: Server, contents: dict[str, bytes]) -> list[str]:
    """One file is left of each blob, no upload is, and what had been corrupt reads right without its old files too."""
    found = [text for digest in contents for text in _one_file(server, digest)]
    for digest, content in contents.items():
        if content:
            found += [f"I4: at the end, {text}" for text in _read_back(server, content, digest)]
    return found


def _read_back(server: Server, content: bytes, digest: str) -> list[str]:
    """Read the blob on fresh connections, so that every worker is asked."""
    for _ in range(READS):
        reply = Session(server, "faults/same").blob(digest)
        if reply.status != 200 or reply.body != content:
            return [f"read back: {told(reply)}, {digest_of(reply.body)}"]
    return []


def _push(server: Server, content: bytes, number: int) -> str:
    """Push by PUT or by PATCH and PUT; returns what was wrong with the answer, or nothing."""
    try:
        session = Session(server, "faults/same").open()
        if number % 2:
            reply = session.put(digest_of(content), content)
        else:
            reply = session.patch(content)
            if reply.status == 202:
                reply = session.put(digest_of(content))
    except Lost as error:
        return f"no answer: {error}"
    return "" if reply.status == 201 else told(reply)


def _one_file(server: Server, digest: str) -> list[str]:
    deadline = time.monotonic() + LEFT_OVER
    while len(files := stored(server, digest)) != 1 and time.monotonic() < deadline:
        time.sleep(0.2)
    uploads = server.data / "uploads"
    rest = [entry.name for entry in uploads.iterdir()] if uploads.is_dir() else []
    found = [] if len(files) == 1 else [f"{len(files)} files of one blob are left after {LEFT_OVER} s"]
    return found + ([f"{len(rest)} upload files are left"] if rest else [])


def stored(server: Server, digest: str) -> list[Path]:
    """Return the files that hold a blob."""
    algorithm, _, encoded = digest.partition(":")
    return sorted((server.data / "blobs" / algorithm / encoded[:2]).glob(f"{encoded}*"))


if __name__ == "__main__":
    sys.exit(main(check, count=100, about=__doc__))
