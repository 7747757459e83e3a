"""A layer of 5 GiB into S3: what memory the server takes for it, and whether its bytes are anywhere twice.

Memory is sampled five times a second: the processes' proportional shares (PSS), for their VmHWM count what they share
once each. Bytes are counted in the store, when all have arrived and when the blob is published, and on the local disk
all the while, with files that have no name any more.
"""

import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.bench import Bench
from benchmarks.contents import Content
from benchmarks.peers import Peer
from benchmarks.row import CPU, LARGEST, SPEED, TOGETHER, Metric, Values
from benchmarks.running import Running
from benchmarks.seed import BLOBS, MIB
from benchmarks.stores import OVERHEAD, emptied, on_s3, require_memory, store
from benchmarks.wire import Client
from storage.s3.client import connect

TIMES = 10  # 512 MiB; a quick run has 64 MiB
COPIES = Metric("bytes kept / bytes of the blob", more_is_better=False)
INTERVAL = 0.2


def push_large(bench: Bench, peer: Peer) -> Values:
    """Push one layer as docker does, and watch the server and the store."""
    ceph, content = store(bench), bench.body.repeated(TIMES)
    require_memory(OVERHEAD * content.size)
    with emptied(ceph) as bucket:
        return _pushed(bench, on_s3(peer, ceph, bucket), content, connect(ceph.options(bucket), ceph.endpoint), bucket)


def _pushed(bench: Bench, peer: Peer, content: Content, there: Any, bucket: str) -> Values:
    one = replace(bench, workers=1)  # a layer goes through one; what others idle on is no part of it
    with one.fresh(peer) as running, _watched(running) as peaks:
        client, before, begun = Client(running.port), running.cpu_seconds(), perf_counter()
        session = client.patch(BLOBS, content)
        received = perf_counter() - begun
        kept = _bytes_in(there, bucket)
        begun = perf_counter()
        client.finish(session, content)
        took = received + perf_counter() - begun
        spent, largest = running.cpu_seconds() - before, running.peak_memory()[0]
    kept = max(kept, _bytes_in(there, bucket))
    return {
        SPEED.name: content.size / took / 1e9,
        CPU.name: spent / (content.size / 1e9),
        LARGEST.name: largest / MIB,
        TOGETHER.name: peaks.memory / MIB,
        COPIES.name: (kept + peaks.disk) / content.size,
    }


class _Peaks:
    """The most that was seen of a server: its memory and what it holds on the local disk, in bytes."""

    def __init__(self) -> None:
        self.memory = self.disk = 0

    def look(self, running: Running) -> None:
        """Look once."""
        pids = running.processes()
        self.memory = max(self.memory, sum(map(_share, pids)))
        files = sum(path.stat().st_blocks * 512 for path in running.place.data.rglob("*") if path.is_file())
        self.disk = max(self.disk, files + sum(map(_nameless, pids)))


@contextmanager
def _watched(running: Running) -> Iterator[_Peaks]:
    peaks, done = _Peaks(), threading.Event()

    def watch() -> None:
        while not done.wait(INTERVAL):
            with suppress(OSError):  # a process or a file that has just gone
                peaks.look(running)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()


def _share(pid: int) -> int:
    """A process's proportional share of the memory it uses, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _nameless(pid: int) -> int:
    """What a process's open files without a name take of a disk, in bytes."""
    total = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found = descriptor.stat()
            if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                total += found.st_blocks * 512
    return total


def _bytes_in(client: Any, bucket: str) -> int:
    """All that a bucket holds: objects, and parts of multipart uploads that are open."""
    objects = client.list_objects_v2(Bucket=bucket).get("Contents", ())
    total = sum(int(item["Size"]) for item in objects)
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
        pages = client.get_paginator("list_parts").paginate(
            Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        )
        total += sum(int(part["Size"]) for page in pages for part in page.get("Parts", ()))
    return total
