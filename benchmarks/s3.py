"""Rows of blobs in S3: pushes beside a bare client of the store, pulls by redirect and through the server, memory.

All servers use one store, each a bucket of its own. The store runs on the same cores, so that it takes its share of
every number but CPU.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.bare import bare_pusher, cpu_of_children
from benchmarks.bench import Bench
from benchmarks.large import COPIES, push_large
from benchmarks.loads import Task, in_parallel, shares, wrk
from benchmarks.peers import BOTO3, DISTRIBUTION_3, MOORAGE_UVICORN, OTHER, Peer
from benchmarks.row import COST, CPU, LARGEST, P99, PUSHES, RATE, SMALL_GET, SPEED, STREAM, TOGETHER, Row, Values
from benchmarks.running import Running, start
from benchmarks.seed import BLOBS, MIB
from benchmarks.stores import CLIENT, emptied, on_s3, store
from benchmarks.streaming import push_images, pusher, streamed
from benchmarks.wire import Client

REGISTRIES = (MOORAGE_UVICORN, f"{OTHER}uvicorn", DISTRIBUTION_3)
PULLED = 512 * MIB
CONNECTIONS = 8  # of redirected pulls
IMAGES = 80


def put(size: int, parallel: int, count: int, *, patch: bool = False) -> Callable[[Bench, Peer], Values]:
    """Push `count` unlike blobs over `parallel` connections to a fresh server, or straight to the store."""

    def measure(bench: Bench, peer: Peer) -> Values:
        ceph = store(bench)
        parts = shares([bench.body.unique(size) for _ in range(count)], parallel)
        if peer.name == BOTO3:
            with emptied(ceph) as bucket:
                return _bare([bare_pusher(ceph, bucket, part) for part in parts], size * count)
        with emptied(ceph) as bucket, bench.fresh(on_s3(peer, ceph, bucket)) as running:
            return streamed(running, [pusher(running, part, patch=patch) for part in parts], size * count)

    return measure


def _bare(tasks: list[Task], size: int) -> Values:
    before = cpu_of_children()
    took = in_parallel(tasks)
    return {SPEED.name: size / took / 1e9, CPU.name: (cpu_of_children() - before) / (size / 1e9)}


def small(bench: Bench, peer: Peer) -> Values:
    """Push small images to a fresh server."""
    ceph = store(bench)
    with emptied(ceph) as bucket, bench.fresh(on_s3(peer, ceph, bucket)) as running:
        return {PUSHES.name: push_images(running, IMAGES)}


def pull(count: int, *, redirect: bool) -> Callable[[Bench, Peer], Values]:
    """GET one blob again and again over one connection, the server's answer or the store's."""

    def measure(bench: Bench, peer: Peer) -> Values:
        running = _standing(bench, peer, redirect=redirect)
        content = bench.body.fixed(PULLED)
        path = f"/v2/{BLOBS}/blobs/{content.digest}"

        def run() -> None:
            client = Client(running.port, headers=CLIENT)
            for _ in range(count):
                (client.get_redirected if redirect else client.get)(path, content.size)

        return streamed(running, [run], content.size * count)

    return measure


def redirected(bench: Bench, peer: Peer) -> Values:
    """GET the address of a blob by wrk, which follows no redirect: what is left is the server's work."""
    running = _standing(bench, peer, redirect=True)
    path = f"/v2/{BLOBS}/blobs/{bench.body.fixed(PULLED).digest}"
    Client(running.port, headers=CLIENT).request("GET", path, 307)
    script, before = bench.scratch / "report.lua", running.cpu_seconds()
    rate = wrk(running.port, (path,), seconds=bench.seconds, connections=CONNECTIONS, script=script, headers=CLIENT)
    spent = running.cpu_seconds() - before
    return {RATE.name: rate.per_second, P99.name: rate.p99 * 1000, COST.name: spent / rate.requests * 1e6}


def _standing(bench: Bench, peer: Peer, *, redirect: bool) -> Running:
    """A server that holds the blob that is pulled, kept for the run."""
    ceph = store(bench)

    def begin(directory: Path, stack: ExitStack) -> Running:
        running = start(on_s3(peer, ceph, ceph.bucket(), redirect=redirect), directory, bench.workers)
        stack.callback(running.stop)
        client = Client(running.port)
        client.put_blob(BLOBS, bench.body.fixed(PULLED))
        client.close()
        return running

    return bench.shared(f"{peer.name}-s3-{'redirecting' if redirect else 'streaming'}", begin)


PUSHED = (*REGISTRIES, BOTO3)
S3_ROWS = (
    Row("s3-put-1x8", "S3: PUT of 1 MiB, 8 at a time", STREAM, put(MIB, 8, 128), quick=False, peers=PUSHED),
    Row("s3-put-64x4", "S3: PUT of 64 MiB, 4 at a time", STREAM, put(64 * MIB, 4, 8), quick=False, peers=PUSHED),
    Row("s3-put-512x1", "S3: PUT of 512 MiB", STREAM, put(512 * MIB, 1, 1), quick=False, peers=PUSHED),
    Row(
        "s3-patch-512x1",
        "S3: POST, PATCH, PUT of 512 MiB",
        STREAM,
        put(512 * MIB, 1, 1, patch=True),
        quick=False,
        peers=PUSHED,
    ),
    Row("s3-pushes", "S3: small images pushed, 8 at a time", (PUSHES,), small, quick=False, peers=REGISTRIES),
    Row("s3-pull", "S3: GET of 512 MiB by redirect", (SPEED,), pull(2, redirect=True), quick=False, peers=REGISTRIES),
    Row(
        "s3-stream",
        "S3: GET of 512 MiB through the server",
        STREAM,
        pull(2, redirect=False),
        quick=False,
        peers=REGISTRIES,
    ),
    Row("s3-redirect", "S3: redirects alone", SMALL_GET, redirected, quick=False, peers=REGISTRIES),
    Row(
        "large-s3",
        "S3: 5 GiB in one PATCH",
        (SPEED, CPU, LARGEST, TOGETHER, COPIES),
        push_large,
        quick=False,
        rounds=1,
        peers=(MOORAGE_UVICORN, f"{OTHER}uvicorn"),
    ),
)
