"""Starts versitygw, the S3 server of deploy/compose.scale.yaml, for tests of its own: not every machine has it."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.s3.client import connect
from storage.s3.options import S3Options
from tests.parts.commands import start, stop, wait_until
from tests.parts.server import accepts, free_port
from tests.parts.tools import find, named

ACCESS_KEY, SECRET_KEY = "moorage-tests", "s" * 40


@dataclass(frozen=True, slots=True)
class Versitygw:
    """A gateway that answers."""

    endpoint: str

    def options(self) -> S3Options:
        """Make an empty bucket and say how the driver gets to it."""
        keys = {"endpoint": self.endpoint, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "region": "us-east-1"}
        options = S3Options(f"bucket-{uuid.uuid4().hex}", path_style=True, **keys)  # type: ignore[arg-type]  # as named
        connect(options, self.endpoint).create_bucket(Bucket=options.bucket)
        return options


@contextmanager
def start_versitygw() -> Iterator[Versitygw]:
    """Start it over an empty directory; skips where it is not installed, for it is asked for by name only."""
    program = find(named("versitygw"))
    if program is None:
        pytest.skip("versitygw is not here; install it: python3 -m tests.parts.tools install versitygw")
    port = free_port()
    # /tmp may be in memory, and then without the extended attributes that it keeps metadata in.
    with tempfile.TemporaryDirectory(prefix="versitygw-", dir="/var/tmp") as directory:
        data, log = Path(directory) / "data", Path(directory) / "log"
        data.mkdir()
        keys = ("--access", ACCESS_KEY, "--secret", SECRET_KEY)
        process = start(program, "--port", f"127.0.0.1:{port}", *keys, "posix", data, log=log)
        try:
            wait_until(lambda: accepts(port), "the start of versitygw", log)
            yield Versitygw(f"http://127.0.0.1:{port}")
        finally:
            stop(process)
