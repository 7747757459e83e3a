"""The one table of rows: what is measured, in which unit, and on whom.

A row measures one peer once and returns a number for each of its metrics; repeating, alternating and comparing is
somebody else's business.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks import docker, seed, tokens
from benchmarks.bench import Bench
from benchmarks.contents import Content, Small, image
from benchmarks.loads import Task, beside, heads, in_parallel, shares, wrk
from benchmarks.peers import Peer
from benchmarks.running import Running, start
from benchmarks.seed import BLOBS, MIB
from benchmarks.wire import Client

CONNECTIONS = 16  # of small requests
PUSHERS = 8
STREAMS = 16  # of the memory row
PAGE = 100  # rows of a list's page, taken from the middle

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a row."""

    name: str
    more_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the issue's list."""

    name: str
    title: str
    metrics: tuple[Metric, ...]
    measure: Callable[[Bench, Peer], Values]
    yardstick: bool = False  # whether servers that are no registries take part
    quick: bool = True  # whether a quick run has it
    rounds: int = 99  # at most


RATE = Metric("requests/s")
P99 = Metric("p99 ms", more_is_better=False)
COST = Metric("CPU µs/request", more_is_better=False)
SPEED = Metric("GB/s")
CPU = Metric("CPU s/GB", more_is_better=False)
PUSHES = Metric("pushes/s")
PUSH = Metric(docker.PUSH, more_is_better=False)
PULL = Metric(docker.PULL, more_is_better=False)
FIRST = Metric("first start s", more_is_better=False)
AGAIN = Metric("restart s", more_is_better=False)
LARGEST = Metric("largest process MiB", more_is_better=False)
TOGETHER = Metric("all processes MiB", more_is_better=False)


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


def get_blobs(size: int, parallel: int, count: int) -> Callable[[Bench, Peer], Values]:
    """GET one blob `count` times over `parallel` connections."""

    def measure(bench: Bench, peer: Peer) -> Values:
        content = bench.body.fixed(size)
        running = bench.seeded(peer, f"blob {size}", lambda it: seed.seed_blob(it, content, bench.body))
        path = seed.blob_path(running, content)

        def task(times: int) -> Task:
            def run() -> None:
                client = Client(running.port)
                for _ in range(times):
                    client.get(path, size)

            return run

        task(1)()  # the page cache is warm for everyone
        return _streamed(running, [task(len(part)) for part in shares(range(count), parallel)], size * count)

    return measure


def put_blobs(size: int, parallel: int, count: int, *, patch: bool = False) -> Callable[[Bench, Peer], Values]:
    """Push `count` unlike blobs over `parallel` connections to a fresh server, by POST+PUT or as docker does."""

    def measure(bench: Bench, peer: Peer) -> Values:
        contents = [bench.body.unique(size) for _ in range(count)]
        with bench.fresh(peer) as running:
            tasks = [_pusher(running, part, patch=patch) for part in shares(contents, parallel)]
            return _streamed(running, tasks, size * count)

    return measure


def _pusher(running: Running, contents: list[Content], *, patch: bool) -> Task:
    def run() -> None:
        client = Client(running.port)
        push = client.patch_blob if patch else client.put_blob
        for content in contents:
            push(BLOBS, content)

    return run


def _streamed(running: Running, tasks: list[Task], size: int) -> Values:
    before = running.cpu_seconds()
    took = in_parallel(tasks)
    return {SPEED.name: size / took / 1e9, CPU.name: (running.cpu_seconds() - before) / (size / 1e9)}


def small_pushes(bench: Bench, peer: Peer) -> Values:
    """Push many images of one small layer as docker does, eight at a time, into a few repositories."""
    count = 80 if bench.quick else 400
    images = [(Small(os.urandom(200).hex().encode()), Small(os.urandom(4096))) for _ in range(count)]

    def task(numbers: list[int], port: int) -> Task:
        def run() -> None:
            client = Client(port)
            for number in numbers:
                repository = f"bench/push{number % 20}"
                for blob in images[number]:
                    client.push_small(repository, blob)
                client.put_manifest(repository, seed.tag_name(number), image(*images[number]))

        return run

    with bench.fresh(peer) as running:
        return {PUSHES.name: count / in_parallel([task(part, running.port) for part in shares(range(count), PUSHERS)])}


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


def memory(bench: Bench, peer: Peer) -> Values:
    """The most memory each process held while sixteen blobs stream up at once and then down at once."""
    size = (64 if bench.quick else 512) * MIB
    contents = [bench.body.unique(size) for _ in range(STREAMS)]
    with bench.fresh(peer) as running:
        in_parallel([_pusher(running, [content], patch=False) for content in contents])
        in_parallel([_getter(running, content) for content in contents])
        peaks = running.peak_memory()
    return {LARGEST.name: peaks[0] / MIB, TOGETHER.name: sum(peaks) / MIB}


def _getter(running: Running, content: Content) -> Task:
    return lambda: Client(running.port).get(f"/v2/{BLOBS}/blobs/{content.digest}", content.size)


SMALL_GET = (RATE, P99, COST)
TOKEN_COST = Metric(tokens.RATIO, more_is_better=False)
TOKEN_GET = (Metric(tokens.REQUESTS), TOKEN_COST, Metric(tokens.COST, more_is_better=False))
STREAM = (SPEED, CPU)
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
    Row("start", "start to ready", (FIRST, AGAIN), start_to_ready),
    Row("memory", "peak memory, 16 blobs of 512 MiB up, then down", (LARGEST, TOGETHER), memory, rounds=1),
)
