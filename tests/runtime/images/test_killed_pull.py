"""A daemon that is killed while it pulls: the next one goes on where it stood, and nothing half-done is left."""

from __future__ import annotations

import gzip
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import digest_of, noise_tar
from tests.parts.tools import require
from tests.runtime.images.hostile_registry import Contents, HostileRegistry, Request, answer, hostile_registry

pytestmark = pytest.mark.faults
SIZE = 8 * 2**20


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    """A registry of one layer that takes long."""
    with hostile_registry() as server:
        server.serve(Contents(layer=gzip.compress(noise_tar("noise", SIZE), 1, mtime=0)))
        yield server


@pytest.fixture
def engine(registry: HostileRegistry) -> Iterator[RunningEngine]:
    """A daemon that sees it."""
    require("docker")
    with start_engine() as running, running.namespace.let_in(int(registry.host.rpartition(":")[2])):
        yield running


def test_a_killed_pull_goes_on(registry: HostileRegistry, engine: RunningEngine) -> None:
    layer = registry.contents.layer
    half, over = threading.Event(), threading.Event()

    def stall(connection: socket.socket, _: Request) -> None:
        connection.sendall(answer(200, layer)[: SIZE // 2])
        half.set()
        over.wait(120)

    def rest(connection: socket.socket, request: Request) -> None:
        start = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        part = f"bytes {start}-{len(layer) - 1}/{len(layer)}"
        connection.sendall(answer(206, layer[start:], content_range=part))

    registry.blob(digest_of(layer), stall)
    name = f"{registry.host}/team/app:1"
    client = (require("docker"), "--config", str(engine.directory / "c"), "--host", f"unix://{engine.socket}")
    pulling = subprocess.Popen([*client, "pull", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert half.wait(60)
        ingest = engine.data / "content" / "ingest"
        partial = ingest / digest_of(layer).replace(":", "-")
        tick = threading.Event()
        for _ in range(1500):
            if partial.exists() and partial.stat().st_size > SIZE // 4:
                break
            tick.wait(0.02)
        engine.kill()
    finally:
        pulling.kill()
        pulling.wait()
        over.set()
    kept = partial.stat().st_size
    assert kept > SIZE // 4
    registry.blob(digest_of(layer), rest)
    engine.start()
    assert list((engine.data / "layers" / "staging").iterdir()) == []
    assert f"Status: Downloaded newer image for {name}" in engine.docker("pull", name)
    assert registry.requests[-1].headers["range"] == f"bytes={kept}-"
    assert list(ingest.iterdir()) == []
