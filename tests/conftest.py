"""What holds for all tests: how long hypothesis looks, and the servers of the whole run: PostgreSQL and S3.

No deadlines, for a busy machine is no bug.

`make test` draws 50 examples a property; MOORAGE_TEST_ALL=1, as in CI, 250.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.parts.ceph import Ceph, start_ceph
from tests.parts.postgres import Postgres, start_postgres
from tests.parts.versitygw import VersityGateway, start_versitygw

settings.register_profile("quick", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=250)
settings.load_profile("thorough" if os.environ.get("MOORAGE_TEST_ALL") else "quick")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; skips where there is none."""
    with start_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def ceph() -> Iterator[Ceph]:
    """A real S3 server for the whole run; tests that ask for it are slow."""
    with start_ceph() as running:
        yield running


@pytest.fixture(scope="session")
def versitygw() -> Iterator[VersityGateway]:
    """Another real S3 server, of which nothing is Ceph's."""
    with start_versitygw() as running:
        yield running
