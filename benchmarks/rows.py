"""The one table of rows: what is measured, in which unit, and on whom.

A row measures one peer once and returns a number for each of its metrics; repeating, alternating and comparing is
somebody else's business.
"""

import shutil
from collections.abc import Callable

from benchmarks import docker, garbage, seed, tokens
from benchmarks.bench import Bench
from benchmarks.loads import beside, heads, wrk
from benchmarks.peers import Peer
from benchmarks.row import (
    AGAIN,
    COST,
    FIRST,
    LARGEST,
    P99,
    PULL,
    PUSH,
    PUSHES,
    RATE,
    SMALL_GET,
    STREAM,
    TOGETHER,
    Metric,
    Row,
    Values,
)
from benchmarks.running import Running, start
from benchmarks.s3 import S3_ROWS
from benchmarks.seed import MIB
from benchmarks.streaming import get_blobs, memory, put_blobs, small_pushes
from benchmarks.wire import Client

CONNECTIONS = 16  # of small requests
PAGE = 100  # rows of a list's page, taken from the middle


def get_small(seeding: Callable[[Running], None], what: str, *paths: str) -> Callable[[Bench, Peer], Values]:
    """GET addresses of the standing server by wrk."""

    def measure(bench: Bench, peer: Peer) -> Values:
        return _wrk(bench, bench.seeded(peer, what, seeding), *paths)

    return measure


def get_million(path: str) -> Callable[[Bench, Peer], Values]:
    """GET one address of the server with a million rows."""

    def measure(bench: Bench, peer: Peer) -> Values:
        return _wrk(bench, bench.million(peer), path)

    return measure


def get_while_pushing(bench: Bench, peer: Peer) -> Values:
    """GET a manifest by tag while one client moves another tag as fast as it can, which empties caches."""
    running = bench.seeded(peer, "image", seed.seed_image)
    client = Client(running.port)
    with beside(lambda number: client.put_manifest(seed.SMALL, f"moving{number % 2}", seed.EMPTY)) as pushed:
        values = _wrk(bench, running, TAGGED)
        return {**values, PUSHES.name: pushed() / bench.seconds}


def _wrk(bench: Bench, running: Running, *paths: str) -> Values:
    script = bench.scratch / "report.lua"
    before = running.cpu_seconds()
    rate = wrk(running.port, paths, seconds=bench.seconds, connections=CONNECTIONS, script=script)
    spent = running.cpu_seconds() - before
    return {RATE.name: rate.per_second, P99.name: rate.p99 * 1000, COST.name: spent / rate.requests * 1e6}


def head_blob(bench: Bench, peer: Peer) -> Values:
    """HEAD a small blob."""
    running = bench.seeded(peer, "image", seed.seed_image)
    path = f"/v2/{seed.SMALL}/blobs/{seed.LAYERS[0].digest}"
    return {RATE.name: heads(running.port, path, seconds=bench.seconds, connections=CONNECTIONS)}


def start_to_ready(bench: Bench, peer: Peer) -> Values:
    """Start on nothing, stop, and start again on what that made."""
    directory = bench.scratch / f"{peer.name}-start"
    shutil.rmtree(directory, ignore_errors=True)
    values = {}
    for metric in (FIRST, AGAIN):
        running = start(peer, directory, bench.workers)
        values[metric.name] = running.ready_after
        running.stop()
    shutil.rmtree(directory)
    return values


TOKEN_COST = Metric(tokens.RATIO, more_is_better=False)
TOKEN_GET = (Metric(tokens.REQUESTS), TOKEN_COST, Metric(tokens.COST, more_is_better=False))
TAGGED = f"/v2/{seed.SMALL}/manifests/{seed.TAG}"
DIGESTED = f"/v2/{seed.SMALL}/manifests/{seed.IMAGE.digest}"
MANY = tuple(f"/v2/{seed.TAGS}/manifests/{seed.tag_name(number)}" for number in range(seed.THOUSAND))
SIZES = ((1, 128, 256), (64, 16, 16), (512, 3, 8))  # MiB, and how many with one and with eight connections


def _tags(rows: int) -> str:
    return f"/v2/{seed.TAGS}/tags/list?n={PAGE}&last={seed.tag_name(rows // 2)}"


def _catalog(rows: int) -> str:
    return f"/v2/_catalog?n={PAGE}&last={seed.repository_name(rows // 2)}"


def _blob_rows() -> list[Row]:
    rows = []
    for size, *counts in SIZES:
        for parallel, count in zip((1, 8), counts, strict=True):
            name, quick = f"{size}x{parallel}", size < 512
            title = f"of {size} MiB, {parallel} at a time"
            get, put = get_blobs(size * MIB, parallel, count), put_blobs(size * MIB, parallel, count)
            rows.append(Row(f"get-{name}", f"blob GET {title}", STREAM, get, yardstick=True, quick=quick))
            rows.append(Row(f"put-{name}", f"blob PUT {title}", STREAM, put, quick=quick))
    chunked = put_blobs(64 * MIB, 8, 16, patch=True)
    rows.append(Row("patch-64x8", "blob POST, PATCH, PUT of 64 MiB, 8 at a time", STREAM, chunked))
    return sorted(rows, key=lambda row: row.name.partition("-")[0])  # stable: the table's order within each kind


ROWS = (
    Row("manifest-tag", "manifest GET by tag", SMALL_GET, get_small(seed.seed_image, "image", TAGGED)),
    Row("manifest-digest", "manifest GET by digest", SMALL_GET, get_small(seed.seed_image, "image", DIGESTED)),
    Row("manifest-many", "manifest GET by 10³ tags in turn", SMALL_GET, get_small(seed.seed_tags, "tags", *MANY)),
    Row("manifest-pushing", "manifest GET by tag while tags move", (*SMALL_GET, PUSHES), get_while_pushing),
    Row("manifest-token", "manifest GET by tag, with a token", TOKEN_GET, tokens.get_with_token(TAGGED)),
    Row("head-blob", "blob HEAD", (RATE,), head_blob),
    *_blob_rows(),
    Row("pushes", "small images pushed, 8 at a time", (PUSHES,), small_pushes),
    Row("docker", "docker push and pull, 8 layers, 200 MB", (PUSH, PULL), docker.push_and_pull, quick=False),
    Row("tags-1e3", "page of 100 of 10³ tags", SMALL_GET, get_small(seed.seed_tags, "tags", _tags(seed.THOUSAND))),
    Row("tags-1e6", "page of 100 of 10⁶ tags", SMALL_GET, get_million(_tags(seed.MILLION)), quick=False),
    Row(
        "catalog-1e3",
        "page of 100 of 10³ repositories",
        SMALL_GET,
        get_small(seed.seed_repositories, "repositories", _catalog(seed.THOUSAND)),
    ),
    Row("catalog-1e6", "page of 100 of 10⁶ repositories", SMALL_GET, get_million(_catalog(seed.MILLION)), quick=False),
    Row("gc", "gc of 10³ blobs", (garbage.RATIO, garbage.TOOK), garbage.collect, quick=False),
    Row("start", "start to ready", (FIRST, AGAIN), start_to_ready),
    Row("memory", "peak memory, 16 blobs of 512 MiB up, then down", (LARGEST, TOGETHER), memory, rounds=1),
    *S3_ROWS,
)
