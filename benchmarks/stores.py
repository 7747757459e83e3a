"""The one S3 server of a run, a Ceph RADOS Gateway in memory, and how each peer is told to keep its blobs there.

Every server gets a bucket of its own. What no peer is told stays its default, such as the size and number of parts.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import Bench, Skipped
from benchmarks.peers import Peer, Place, distribution
from tests.parts.ceph import ACCESS_KEY, PROGRAMS, SECRET_KEY, Ceph, start_ceph
from tests.parts.commands import run
from tests.parts.tools import find, named

MEMORY = 8 << 30  # bytes that the store may keep
OVERHEAD = 2  # what it takes of the machine for each of them
LEAST = 4 << 30  # bytes of the machine's memory without which no row runs: the kernel would end somebody's process
CLIENT = {"x-forwarded-for": "192.0.2.1"}
"""What a client says that is not to look local: Moorage sends its own machine's clients to no other address."""


def store(bench: Bench) -> Ceph:
    """The gateway, started when a row first needs it. Raises Skipped where there can be none."""
    require_memory(LEAST)
    return bench.shared("ceph", _start)


def require_memory(size: int) -> None:
    """See that the machine has memory free. Raises Skipped."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    if free < size:
        raise Skipped(f"needs {size >> 30} GiB of free memory; there are {free >> 30}")


@contextmanager
def emptied(ceph: Ceph) -> Iterator[str]:
    """A new bucket, gone afterwards with its bytes: by itself the store would keep what was deleted for hours."""
    bucket = ceph.bucket()
    try:
        yield bucket
    finally:
        _administer(ceph, "bucket", "rm", f"--bucket={bucket}", "--purge-objects", "--bypass-gc")
        _administer(ceph, "gc", "process", "--include-all")


def _administer(ceph: Ceph, *words: str) -> None:
    run(find(named("radosgw-admin")) or "", "-c", ceph.root / "ceph.conf", "-n", "client.rgw", *words)


def on_s3(peer: Peer, ceph: Ceph, bucket: str, *, redirect: bool = True) -> Peer:
    """The same server with its blobs in a bucket; clients are sent there for them, or get them through the server."""
    if not peer.is_moorage:
        return replace(peer, configure=_distribution(ceph, bucket, redirect=redirect))
    settings = {
        "STORAGE__DRIVER": "s3",
        "STORAGE__S3__BUCKET": bucket,
        "STORAGE__S3__ENDPOINT": ceph.endpoint,
        "STORAGE__S3__PATH_STYLE": "true",
        "STORAGE__S3__ACCESS_KEY": ACCESS_KEY,
        "STORAGE__S3__SECRET_KEY": SECRET_KEY,
        "STORAGE__S3__REDIRECT": str(redirect).lower(),
        "SERVER__TRUSTED_PROXIES": "127.0.0.1",
    }
    return replace(peer, environment={**peer.environment, **{f"MOORAGE_{key}": settings[key] for key in settings}})


def _distribution(ceph: Ceph, bucket: str, *, redirect: bool) -> Callable[[Place], list[str]]:
    driver = {
        "bucket": bucket,
        "regionendpoint": ceph.endpoint,
        "region": "us-east-1",
        "forcepathstyle": True,
        "secure": False,
        "accesskey": ACCESS_KEY,
        "secretkey": SECRET_KEY,
    }
    return lambda place: distribution(place, {"s3": driver, "redirect": {"disable": not redirect}})


def _start(directory: Path, stack: ExitStack) -> Ceph:
    missing = [name for name in PROGRAMS if find(named(name)) is None]
    if missing or os.geteuid() != 0:
        raise Skipped(f"needs {', '.join(missing) or 'root'}")
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    return stack.enter_context(start_ceph(MEMORY))
