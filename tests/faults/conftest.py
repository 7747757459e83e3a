"""Checks that put gigabytes into the store have one of their own, which gives its memory back when they are over."""

from collections.abc import Iterator

import pytest

from tests.parts.ceph import Ceph, start_ceph


@pytest.fixture(scope="package")
def ceph() -> Iterator[Ceph]:
    """A real S3 server for these checks alone."""
    with start_ceph(12 << 30) as running:
        yield running
