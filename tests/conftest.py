"""What holds for all tests: how long hypothesis looks, and one PostgreSQL for the whole run, for those that want it.

No deadlines, for a busy machine is no bug.

`make test` draws 50 examples a property; MOORAGE_TEST_ALL=1, as in CI, 250.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.parts.postgres import Postgres, start_postgres

settings.register_profile("quick", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=250)
settings.load_profile("thorough" if os.environ.get("MOORAGE_TEST_ALL") else "quick")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; skips where there is none."""
    with start_postgres() as server:
        yield server
