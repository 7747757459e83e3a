"""Two replicas in open mode behind nginx, for all tests here that leave them as they found them.

Their store is their own, for what they push is gigabytes, and it gives its memory back when they are over.
"""

from collections.abc import Iterator

import pytest

from tests.parts.ceph import Ceph, start_ceph
from tests.parts.postgres import Postgres
from tests.parts.replicas import Replicas, shared_parts, start_replicas
from tests.replicas.front import Front

SETTINGS = '[limits]\nuploads_per_subject = 100000\n[server]\ntrusted_proxies = ["127.0.0.1"]\n'


@pytest.fixture(scope="package")
def ceph() -> Iterator[Ceph]:
    """A real S3 server for these tests alone."""
    with start_ceph(12 << 30) as running:
        yield running


@pytest.fixture(scope="package")
def replicas(postgres: Postgres, ceph: Ceph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Two replicas; whoever ends one starts it again."""
    with (
        shared_parts(postgres, ceph, SETTINGS) as shared,
        start_replicas(shared, tmp_path_factory.mktemp("replicas"), args=["--open"]) as running,
    ):
        yield running


@pytest.fixture
def front(replicas: Replicas) -> Front:
    """The proxy before them as a target of upload sessions."""
    return Front(replicas)
