"""What the tests of storage share: a data directory, a small S3 server, and property tests without a deadline."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from storage.layout import Layout
from tests.parts.fake_s3 import FakeS3, start_fake_s3

# these touch files, and a loaded machine is no failure
settings.register_profile("storage", deadline=None)
settings.load_profile("storage")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a fresh data directory."""
    return Layout.open(tmp_path / "data", create=True).root


@pytest.fixture
def fake() -> Iterator[FakeS3]:
    """Give an empty server."""
    with start_fake_s3() as running:
        yield running
