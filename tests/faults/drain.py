"""Check A8, one server: SIGTERM with 20 uploads and 20 downloads in flight, then a restart.

    python -m tests.faults.drain --count 10 --seed 1
    python -m tests.faults.drain --count 1 --sabotage deaf            # must fail: never exits
    python -m tests.faults.drain --count 1 --sabotage die-at-once     # must fail: no drain, status 3

The server must exit with status 0 within its drain limit, and every client must finish its upload or download with at
most three retries. In odd rounds the requests end within the limit, and none may be cut; in even rounds they outlast
it. At the end no upload file is left.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from tests.faults.oracle import digest_of
from tests.faults.report import Options, Report, main
from tests.faults.sessions import Session, received, slowly
from tests.faults.target import HOST, Server
from tests.faults.wire import Lost

CLIENTS = 20
DRAIN = 5.0
GRACE = 1.5  # process exit and Python's own shutdown on a busy machine
RETRIES = 3
SIZE = 3 << 20
SHORT, LONG = 2.0, 9.0


def check(options: Options) -> Report:
    """Restart the server `count` times under way."""
    report = Report("A8", options.seed)
    random = options.random()
    with tempfile.TemporaryDirectory(prefix="moorage-drain-") as work:
        settings = {"MOORAGE_SERVER__DRAIN_TIMEOUT": f"PT{DRAIN:g}S"}
        with Server(Path(work) / "data", options, settings) as server:
            server.start()
            for number in range(options.count):
                report.fault(Restart(server, random, long=number % 2 == 1).run())
            uploads = server.data / "uploads"
            left = len(list(uploads.iterdir())) if uploads.is_dir() else 0
    if left:
        report.violations.append(f"{left} upload files are left at the end")
        report.survived = max(0, report.survived - 1)
    return report


class Restart:
    """One restart with transfers in flight."""

    def __init__(self, server: Server, random: Random, *, long: bool) -> None:
        self.server = server
        self.long = long
        self.seconds = LONG if long else SHORT
        self.contents = [random.randbytes(SIZE) for _ in range(CLIENTS)]
        self.stored = random.randbytes(SIZE)
        self.up = threading.Event()
        self.begun = threading.Semaphore(0)
        self.cut = 0  # requests that were in flight at the signal and did not get their answer

    def run(self) -> list[str]:
        """Start all transfers, stop and start the server, and wait for the clients."""
        Session(self.server, "faults/drain").open().put(digest_of(self.stored), self.stored)
        self.up.set()
        with ThreadPoolExecutor(2 * CLIENTS) as pool:
            jobs = [pool.submit(self._persist, self._upload, content) for content in self.contents]
            jobs += [pool.submit(self._persist, self._download, self.stored) for _ in range(CLIENTS)]
            for _ in jobs:
                self.begun.acquire(timeout=10)
            time.sleep(0.3)
            self.up.clear()
            status, took = self.server.stop(DRAIN + 10)
            self.server.start()
            self.up.set()
            found = [text for job in jobs for text in job.result()]
        if status != 0 or took > DRAIN + GRACE:
            found.append(f"SIGTERM: exit status {status} after {took:.1f} s, the drain limit is {DRAIN} s")
        if not self.long and self.cut:
            found.append(f"{self.cut} requests were cut, though all could end within the drain limit")
        return found

    def _persist(self, work: object, content: bytes) -> list[str]:
        """Do one transfer with at most three retries, as a client would."""
        wrong = ""
        session = Session(self.server, "faults/drain")
        for attempt in range(RETRIES + 1):
            self.up.wait(30)
            wrong = self._upload(session, content) if work == self._upload else self._download(session, content)
            if not wrong:
                return []
            self.cut += attempt == 0 and not wrong.startswith("PUT")  # the PUT is a new request: it may be refused
            time.sleep(0.1)
        return [f"{'upload' if work == self._upload else 'download'} failed after {RETRIES} retries: {wrong}"]

    def _upload(self, session: Session, content: bytes) -> str:
        """Upload slowly; a retry asks the session how far it came and goes on from there."""
        try:
            kept = 0
            first = not session.location
            if first:
                session.open()
                self.begun.release()
            else:
                status = session.status()
                if status.status == 404 and session.blob(digest_of(content)).status == 200:
                    return ""  # the closing PUT had been done, only its answer was lost
                kept = received(status)
            if kept < len(content):
                body = slowly(content[kept:], 10, self.seconds if first else 0.2)
                reply = session.patch(body, kept, len(content) - kept)
                if reply.status != 202:
                    return f"PATCH answers {reply.status}"
        except Lost as error:
            return str(error)
        try:
            closed = session.put(digest_of(content))
        except Lost as error:
            return f"PUT: {error}"
        return "" if closed.status == 201 else f"PUT answers {closed.status}"

    def _download(self, session: Session, content: bytes) -> str:
        """Download slowly, by reading a little at a time from a socket with a small buffer."""
        seconds = self.seconds if not session.location else 0.2
        if not session.location:
            session.location = "begun"
            self.begun.release()
        path = f"/v2/{session.repository}/blobs/{digest_of(content)}"
        try:
            body = _slow_get(self.server, path, len(content), seconds)
        except OSError as error:
            return repr(error)
        return "" if body == content else f"got {len(body)} of {len(content)} bytes"


def _slow_get(server: Server, path: str, size: int, seconds: float) -> bytes:
    """GET with a small receive buffer, spread over some time; returns the bytes that came."""
    with socket.socket() as plug:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 10)
        plug.settimeout(30)
        plug.connect((HOST, server.port))
        plug.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        parts, step = [b""], 256 << 10
        with plug.makefile("rb") as file:
            while (line := file.readline()) not in (b"\r\n", b""):
                parts[0] += line
            while block := file.read(min(step, size)):
                parts.append(block)
                time.sleep(seconds * len(block) / size)
    return b"".join(parts[1:])


if __name__ == "__main__":
    sys.exit(main(check, count=10, about=__doc__))
