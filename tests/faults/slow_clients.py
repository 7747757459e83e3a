"""Check E4: slow heads, slow bodies and slow readers by the hundred, beside eight normal clients.

    python -m tests.faults.slow_clients --count 500 --seed 1                    # as many of each kind, 75 s
    python -m tests.faults.slow_clients --count 20 --sabotage block-the-loop    # must fail: normal clients wait

`--count` clients send a head byte by byte, as many send a body at ten bytes a second, two fifths of that read a blob
at ten bytes a second. Normal clients, meanwhile, have no error and p99 under 2 s; every slow head is cut within
`HEAD_CUT`, every slow body within `BODY_CUT`; memory grows by less than 300 MiB. A slow reader is only counted: what
it costs is a buffer in the kernel.
"""

from __future__ import annotations

import resource
import select
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

from tests.faults.client import Client, image
from tests.faults.ledger import Key, Ledger
from tests.faults.oracle import digest_of
from tests.faults.report import Options, Report, main
from tests.faults.sessions import Session
from tests.faults.target import HOST, Server, members
from tests.faults.wire import Lost

NORMAL = 8
P99 = 2.0
HEAD_CUT, BODY_CUT = 20.0, 65.0
LONGEST = 75.0
GROWTH_MIB = 300
BEAT = 1.0
PER_BEAT = 10


def check(options: Options) -> Report:
    """Run all kinds at once for the whole time."""
    return Crowd(options, LONGEST).run()


@contextmanager
def scratch_server(options: Options) -> Iterator[Server]:
    """Yield a server on a new directory."""
    with tempfile.TemporaryDirectory(prefix="moorage-slow-") as work, Server(Path(work) / "data", options) as server:
        yield server


class Crowd:
    """The slow clients, in one thread, and the normal ones, in a thread each."""

    def __init__(self, options: Options, seconds: float) -> None:
        self.options = options
        self.seconds = seconds
        self.report = Report("E4", options.seed)
        self.times: list[float] = []
        self.errors: list[str] = []
        self.over = threading.Event()

    def run(self) -> Report:
        """Return what the normal clients and the slow ones met with."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
        with scratch_server(self.options) as server:
            server.start()
            threads = [threading.Thread(target=self._normal, args=(server, n)) for n in range(NORMAL)]
            for thread in threads:
                thread.start()
            time.sleep(1)
            before = memory_mib(server)
            cut = self._slow(server)
            grown = memory_mib(server) - before
            self.over.set()
            for thread in threads:
                thread.join(30)
        self._judge(cut, grown)
        return self.report

    def _judge(self, cut: dict[str, list[float]], grown: float) -> None:
        times = sorted(self.times)
        p99 = times[int(len(times) * 0.99)] if times else 99.0
        normal = self.errors[:5]
        if p99 > P99:
            normal.append(f"p99 of {len(times)} normal operations is {p99:.2f} s")
        if grown > GROWTH_MIB:
            normal.append(f"memory grew by {grown:.0f} MiB")
        self.report.fault(normal)
        for kind, limit in (("head", HEAD_CUT), ("body", BODY_CUT)):
            if limit < self.seconds:
                for seconds in cut[kind]:
                    late = (
                        f"{kind}: still open after {self.seconds:.0f} s" if seconds < 0 else f"{kind}: {seconds:.0f} s"
                    )
                    self.report.fault([] if 0 <= seconds <= limit else [f"slow {late}"])
        self.report.extra = {
            "p99_ms": round(p99 * 1000),
            "normal": len(times),
            "grown_mib": round(grown),
            "readers_cut": sum(seconds >= 0 for seconds in cut["reader"]),
        }

    def _slow(self, server: Server) -> dict[str, list[float]]:
        """Feed all slow sockets once a beat; returns for each the seconds until the server cut it, or -1."""
        plugs = self._open(server)
        began = time.monotonic()
        cut: dict[socket.socket, float] = {}
        while time.monotonic() - began < self.seconds:
            beat = time.monotonic()
            for kind, many in plugs.items():
                for plug in many:
                    if plug not in cut and _is_cut(plug, kind):
                        cut[plug] = time.monotonic() - began
            time.sleep(max(0.0, BEAT - (time.monotonic() - beat)))
        for many in plugs.values():
            for plug in many:
                plug.close()
        return {kind: [cut.get(plug, -1.0) for plug in many] for kind, many in plugs.items()}

    def _open(self, server: Server) -> dict[str, list[socket.socket]]:
        blob = Random(1).randbytes(8 << 20)
        session = Session(server, "faults/slow").open()
        session.put(digest_of(blob), blob)
        heads = {
            "head": [b"GET /v2/ HTTP/1.1\r\nHost: slow\r\nX-Slow: "] * self.options.count,
            "body": [],
            "reader": [f"GET /v2/faults/slow/blobs/{digest_of(blob)} HTTP/1.1\r\nHost: slow\r\n\r\n".encode()]
            * (self.options.count * 2 // 5),
        }
        for _ in range(self.options.count):
            path = Session(server, "faults/slow").open().location
            heads["body"].append(f"PATCH {path} HTTP/1.1\r\nHost: slow\r\nContent-Length: 9999999\r\n\r\n".encode())
        plugs: dict[str, list[socket.socket]] = {}
        for kind, starts in heads.items():
            plugs[kind] = []
            for start in starts:
                plug = socket.socket()
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                plug.settimeout(10)
                plug.connect((HOST, server.port))
                plug.sendall(start)
                plugs[kind].append(plug)
        return plugs

    def _normal(self, server: Server, number: int) -> None:
        """Push and pull small images, one after the other, and note how long each request takes."""
        random = Random(f"{self.options.seed}/{number}")
        client = Client(server.wire(timeout=30), Ledger())
        repository = f"faults/normal{number}"
        while not self.over.is_set():
            content = random.randbytes(20_000)
            manifest = image({digest_of(content): len(content)}, str(number))
            steps = (
                partial(client.push_blob, repository, content, "put"),
                partial(client.push_manifest, repository, manifest, ("latest",)),
                partial(client.read, Key("tag", repository, "latest")),
                partial(client.read, Key("blob", repository, digest_of(content))),
            )
            for step in steps:
                began = time.monotonic()
                try:
                    status = step()
                except Lost as error:
                    self.errors.append(f"a normal client got no answer: {error}")
                    continue
                self.times.append(time.monotonic() - began)
                if status not in (200, 201):
                    self.errors.append(f"a normal client got {status}")
            time.sleep(0.02)
        client.wire.close()


def _is_cut(plug: socket.socket, kind: str) -> bool:
    """Do one beat of a slow client; returns whether the server has answered or gone."""
    try:
        if kind == "reader":
            return plug.recv(PER_BEAT) == b""
        readable, _, _ = select.select([plug], [], [], 0)
        if readable:
            return True
        plug.sendall(b"x" * (1 if kind == "head" else PER_BEAT))
    except OSError:
        return True
    return False


def memory_mib(server: Server) -> float:
    """Return the resident memory of all the server's processes."""
    total = 0
    for process in members(server.process.pid) if server.process else []:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024


if __name__ == "__main__":
    sys.exit(main(check, count=500, about=__doc__))
