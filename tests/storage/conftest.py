"""What the tests of storage share: a data directory, and property tests without a deadline."""

from pathlib import Path

import pytest
from hypothesis import settings

from storage.layout import Layout

# these touch files, and a loaded machine is no failure
settings.register_profile("storage", deadline=None)
settings.load_profile("storage")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a fresh data directory."""
    return Layout.open(tmp_path / "data", create=True).root
