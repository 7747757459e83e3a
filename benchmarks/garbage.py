"""What a collection of a thousand blobs costs in a small and in a large catalog: it should be the same.

Both catalogs are filled by SQL while no server runs; the garbage has files on the disk, the rest only rows, which a
collection never looks at. Each sample marks another thousand as garbage, in both, and collects them in turn.
"""

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench, Skipped
from benchmarks.peers import Peer
from benchmarks.row import Metric, Values
from benchmarks.running import start

GARBAGE = 1000
SMALL, LARGE = 10**4, 10**6
RATIO = Metric("10⁶ blobs / 10⁴ blobs", more_is_better=False)
TOOK = Metric("seconds at 10⁶", more_is_better=False)

_BLOB = """
    INSERT INTO blob (digest, size, store, key, state, stored_at, unreferenced_at) VALUES (?, 1, ?, ?, 'live', 1, ?)
"""
_LINK = "INSERT INTO blob_link (repository_id, blob_id, linked_at) SELECT 1, id, 1 FROM blob WHERE id > ?"
_REFERENCE = """
    INSERT INTO manifest_reference (manifest_id, position, repository_id, role, digest, media_type, size)
    SELECT 1, id, 1, 'layer', digest, 'application/octet-stream', 1 FROM blob WHERE id > ? AND unreferenced_at IS NULL
"""
_REPOSITORY = "INSERT INTO repository (id, name, created_at) VALUES (1, 'bench/gc', 1)"
_MANIFEST = """
    INSERT INTO manifest (id, repository_id, digest, media_type, size, pushed_at, content)
    VALUES (1, 1, 'sha256:of-all', 'application/vnd.oci.image.manifest.v1+json', 2, 1, x'7b7d')
"""


@dataclass(slots=True)
class Filled:
    """A data directory at rest with so many blobs that a manifest names."""

    data: Path
    blobs: int
    rounds: int = 0

    @contextlib.contextmanager
    def changed(self) -> Iterator[sqlite3.Connection]:
        """Write to the catalog."""
        connection = sqlite3.connect(self.data / "moorage.db")
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def collect(bench: Bench, peer: Peer) -> Values:
    """Collect a thousand blobs from both catalogs."""
    if not peer.is_moorage:
        raise Skipped("its collector lists its whole store, and stops pushes meanwhile")
    filled = bench.shared(f"{peer.name}-garbage", lambda place, _: _two(bench, peer, place))
    took = {one.blobs: _timed(one, peer) for one in filled}
    return {RATIO.name: took[LARGE] / took[SMALL], TOOK.name: took[LARGE]}


def _two(bench: Bench, peer: Peer, place: Path) -> tuple[Filled, Filled]:
    return _filled(peer, place / "small", SMALL), _filled(peer, place / "large", LARGE)


def _filled(peer: Peer, place: Path, blobs: int) -> Filled:
    running = start(peer, place, 1)
    running.stop()
    one = Filled(running.place.data, blobs)
    with one.changed() as connection:
        connection.execute(_REPOSITORY)
        connection.execute(_MANIFEST)
        connection.executemany(_BLOB, ((_digest(f"kept {n}"), "files", f"kept/{n}", None) for n in range(blobs)))
        connection.execute(_LINK, (0,))
        connection.execute(_REFERENCE, (0,))
    with one.changed() as connection:
        connection.execute("ANALYZE")
    return one


def _timed(one: Filled, peer: Peer) -> float:
    """Make garbage, let the disk rest, and collect."""
    one.rounds += 1
    with one.changed() as connection:
        last = connection.execute("SELECT max(id) FROM blob").fetchone()[0]
        rows = [_garbage(one, number) for number in range(GARBAGE)]
        connection.executemany(_BLOB, rows)
        connection.execute(_LINK, (last,))
    os.sync()
    moorage = Path(peer.find()).with_name("moorage")
    begun = time.perf_counter()
    subprocess.run(
        [moorage, "gc", "--once", "--json", "--data", one.data], check=True, capture_output=True, timeout=600
    )
    return time.perf_counter() - begun


def _garbage(one: Filled, number: int) -> tuple[str, str, str, int]:
    digest = _digest(f"garbage {one.rounds} {number}")
    encoded = digest.partition(":")[2]
    key = f"sha256/{encoded[:2]}/{encoded}.{number:032x}"
    path = one.data / "blobs" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return digest, "files", key, 1


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
