"""Rows that move blobs: how fast, at what cost of CPU, and how much memory that takes."""

import os
from collections.abc import Callable

from benchmarks import seed
from benchmarks.bench import Bench
from benchmarks.contents import Content, Small, image
from benchmarks.loads import Task, in_parallel, shares
from benchmarks.peers import Peer
from benchmarks.row import CPU, LARGEST, PUSHES, SPEED, TOGETHER, Values
from benchmarks.running import Running
from benchmarks.seed import BLOBS, MIB
from benchmarks.wire import Client

PUSHERS = 8
STREAMS = 16  # of the memory row


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
        return streamed(running, [task(len(part)) for part in shares(range(count), parallel)], size * count)

    return measure


def put_blobs(size: int, parallel: int, count: int, *, patch: bool = False) -> Callable[[Bench, Peer], Values]:
    """Push `count` unlike blobs over `parallel` connections to a fresh server, by POST+PUT or as docker does."""

    def measure(bench: Bench, peer: Peer) -> Values:
        contents = [bench.body.unique(size) for _ in range(count)]
        with bench.fresh(peer) as running:
            tasks = [pusher(running, part, patch=patch) for part in shares(contents, parallel)]
            return streamed(running, tasks, size * count)

    return measure


def pusher(running: Running, contents: list[Content], *, patch: bool) -> Task:
    """Push contents one after another over one connection."""

    def run() -> None:
        client = Client(running.port)
        push = client.patch_blob if patch else client.put_blob
        for content in contents:
            push(BLOBS, content)

    return run


def streamed(running: Running, tasks: list[Task], size: int) -> Values:
    """Run tasks that move `size` bytes together; tell how fast, and what of the server's CPU that took."""
    before = running.cpu_seconds()
    took = in_parallel(tasks)
    return {SPEED.name: size / took / 1e9, CPU.name: (running.cpu_seconds() - before) / (size / 1e9)}


def small_pushes(bench: Bench, peer: Peer) -> Values:
    """Push many small images to a fresh server."""
    with bench.fresh(peer) as running:
        return {PUSHES.name: push_images(running, 80 if bench.quick else 400)}


def push_images(running: Running, count: int) -> float:
    """Push images of one small layer as docker does, eight at a time, into a few repositories; how many a second."""
    images = [(Small(os.urandom(200).hex().encode()), Small(os.urandom(4096))) for _ in range(count)]

    def task(numbers: list[int]) -> Task:
        def run() -> None:
            client = Client(running.port)
            for number in numbers:
                repository = f"bench/push{number % 20}"
                for blob in images[number]:
                    client.push_small(repository, blob)
                client.put_manifest(repository, seed.tag_name(number), image(*images[number]))

        return run

    return count / in_parallel([task(part) for part in shares(range(count), PUSHERS)])


def memory(bench: Bench, peer: Peer) -> Values:
    """The most memory each process held while sixteen blobs stream up at once and then down at once."""
    size = (64 if bench.quick else 512) * MIB
    contents = [bench.body.unique(size) for _ in range(STREAMS)]
    with bench.fresh(peer) as running:
        in_parallel([pusher(running, [content], patch=False) for content in contents])
        in_parallel([getter(running, content) for content in contents])
        peaks = running.peak_memory()
    return {LARGEST.name: peaks[0] / MIB, TOGETHER.name: sum(peaks) / MIB}


def getter(running: Running, content: Content) -> Task:
    """GET a blob once."""
    return lambda: Client(running.port).get(f"/v2/{BLOBS}/blobs/{content.digest}", content.size)
