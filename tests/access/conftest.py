"""Where data lies: in memory where the machine offers that, for these tests are about answers."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def fast_directory() -> Iterator[Path]:
    """A directory for the whole run."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="moorage-", dir=shared if shared.is_dir() else None) as directory:
        yield Path(directory)
