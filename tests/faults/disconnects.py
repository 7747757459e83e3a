"""Check C6: the client vanishes (FIN or RST) at a random byte of a PATCH, a PUT or a single POST.

    python -m tests.faults.disconnects --count 200 --seed 1
    python -m tests.faults.disconnects --count 20 --sabotage lie-about-range      # must fail: resuming is refused

Afterwards the session's status must be true: an upload that goes on from the byte it names completes, and the blob read
back is the one that was meant. A single POST leaves nothing behind but a whole blob.
"""

from __future__ import annotations

import socket
import struct
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.faults.client import closing
from tests.faults.oracle import digest_of
from tests.faults.report import Options, Report, main
from tests.faults.sessions import Session, problem, received, told
from tests.faults.target import HOST, Server
from tests.faults.wire import Lost, Reply

SETTLED = 5.0  # seconds in which the server must have noticed and say what it holds
KINDS = ("PATCH", "PATCH chunked", "PUT", "POST")


def check(options: Options) -> Report:
    """Break off `count` requests and go on after each."""
    report = Report("C6", options.seed)
    random = options.random()
    with tempfile.TemporaryDirectory(prefix="moorage-gone-") as work, Server(Path(work) / "data", options) as server:
        server.start()
        for number in range(options.count):
            kind, ending = KINDS[number % len(KINDS)], ("FIN", "RST")[number // len(KINDS) % 2]
            try:
                found = _one(server, random, kind, ending)
            except Lost as error:
                found = [f"no answer: {error}"]
            report.fault([f"{kind}, {ending}: {text}" for text in found])
    return report


def _one(server: Server, random: Random, kind: str, ending: str) -> list[str]:
    content = random.randbytes(random.choice((1, 100, 70_000, 1_500_000)))
    digest = digest_of(content)
    session = Session(server, "faults/disconnects")
    if kind == "POST":
        _break_off(server, random, f"/v2/{session.repository}/blobs/uploads/?digest={digest}", "POST", content, ending)
        return _after_post(session, content, digest)
    session.open()
    before = random.randint(0, len(content) - 1) if random.random() < 0.5 else 0
    if before:
        session.patch(content[:before], 0)
    target = closing(session.location, digest) if kind == "PUT" else session.location
    _break_off(server, random, target, kind, content[before:], ending)
    return _after_session(session, content, digest, before)


def _break_off(server: Server, random: Random, path: str, kind: str, body: bytes, ending: str) -> None:
    """Send a request up to a random byte of its head or body, then vanish."""
    method, _, chunked = kind.partition(" ")
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/octet-stream\r\n"
    if chunked:
        head += "Transfer-Encoding: chunked\r\n\r\n"
        step = max(1, len(body) // 3)
        parts = [body[first : first + step] for first in range(0, len(body), step)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        head += f"Content-Length: {len(body)}\r\n\r\n"
    cut = random.choice((random.randint(0, len(head)), len(head) + random.randint(0, len(body)), len(head) + len(body)))
    with socket.create_connection((HOST, server.port), timeout=10) as plug:
        try:
            plug.sendall((head.encode() + body)[:cut])
            time.sleep(random.choice((0, 0, 0.002, 0.02)))
            if ending == "RST":
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            return  # the server was faster


def _after_session(session: Session, content: bytes, digest: str, before: int) -> list[str]:
    status = _settled(session, digest)
    if status.status == 404:  # the closing PUT had arrived whole: then the blob is there
        reply = session.blob(digest)
        if reply.status == 200 and reply.body == content:
            return []
        return [f"the session is gone, but the blob is not there: {told(reply)}"]
    found = problem(status, 204)
    kept = received(status)
    if not found and not before <= max(kept, 1) <= max(len(content), 1):
        found.append(f"the status says {kept} bytes; {before} were acknowledged, {len(content)} exist")
    return found or session.finish(content, kept)


def _settled(session: Session, digest: str) -> Reply:
    """Ask until two answers in a row are the same: the server may still be writing what had arrived."""
    deadline = time.monotonic() + SETTLED
    last = session.status()
    while time.monotonic() < deadline:
        time.sleep(0.05)
        status = session.status()
        same = (status.status, status.header("range")) == (last.status, last.header("range"))
        if same and status.status in (204, 404):
            return status
        last = status
    return last


def _after_post(session: Session, content: bytes, digest: str) -> list[str]:
    """Absent or whole; and the same push afterwards succeeds."""
    reply = session.blob(digest)
    found = problem(reply, 200, 404)
    if reply.status == 200 and reply.body != content:
        found.append(f"I4: half a blob was stored: {told(reply)}")
    return found or session.open().finish(content, 0)


if __name__ == "__main__":
    sys.exit(main(check, count=200, about=__doc__))
