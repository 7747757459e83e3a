"""Starts a second real S3 server: Versity's gateway over a directory, on a free loopback port.

`with start_versitygw() as gateway:` gives its endpoint and keys; `gateway.bucket()` makes a bucket that no other test
uses. It shares no line of code with Ceph's: what one of them bears, the other may refuse.
"""

from __future__ import annotations

import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from storage.s3.client import connect
from storage.s3.options import S3Options
from tests.parts.commands import start, stop, wait_until
from tests.parts.server import free_port
from tests.parts.tools import require

ACCESS_KEY, SECRET_KEY = "moorage-tests", "v" * 40
REGION = "eu-test-1"
"""Not the usual one: it checks the region of signatures, which Ceph does not."""


@dataclass(frozen=True, slots=True)
class VersityGateway:
    """A gateway that answers."""

    endpoint: str

    def options(self, bucket: str, **others: object) -> S3Options:
        """Say how the driver gets to a bucket."""
        known: dict[str, object] = {
            "endpoint": self.endpoint,
            "region": REGION,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
        }
        return S3Options(bucket, path_style=True, **{**known, **others})  # type: ignore[arg-type]  # names are its own

    def configuration(self, bucket: str, more: str = "") -> str:
        """Say in a moorage.toml that blobs are in a bucket."""
        return (
            f'[storage]\ndriver = "s3"\n[storage.s3]\nbucket = "{bucket}"\nendpoint = "{self.endpoint}"\n'
            f'region = "{REGION}"\npath_style = true\naccess_key = "{ACCESS_KEY}"\nsecret_key = "{SECRET_KEY}"\n{more}'
        )

    def bucket(self) -> str:
        """Make an empty bucket and give its name."""
        name = f"bucket-{uuid.uuid4().hex}"
        place = {"LocationConstraint": REGION}
        connect(self.options(name), self.endpoint).create_bucket(Bucket=name, CreateBucketConfiguration=place)
        return name


@contextmanager
def start_versitygw() -> Iterator[VersityGateway]:
    """Start it on a directory in memory, where the machine offers that, and stop it at the end.

    What it knows of objects is in files of their own: not every file system bears attributes.
    """
    program = require("versitygw")
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="versitygw-", dir=shared if shared.is_dir() else None) as directory:
        port, log, buckets, known = free_port(), *(Path(directory, name) for name in ("log", "buckets", "known"))
        buckets.mkdir()
        known.mkdir()
        keys = ("--access", ACCESS_KEY, "--secret", SECRET_KEY, "--region", REGION)
        backend = ("posix", "--sidecar", known, buckets)
        process = start(program, "--port", f"127.0.0.1:{port}", "--quiet", *keys, *backend, log=log)
        try:
            wait_until(lambda: _listens(port), "the start of versitygw", log)
            yield VersityGateway(f"http://127.0.0.1:{port}")
        finally:
            stop(process)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
