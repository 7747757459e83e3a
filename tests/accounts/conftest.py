"""A registry's accounts with everything that administers them."""

import pytest

from registry.catalog.catalog import Catalog
from tests.accounts.desk import Desk
from tests.catalog.conftest import Clock, address, catalog, clock, database, fast_directory, migrated, place

__all__ = ["address", "catalog", "clock", "database", "fast_directory", "migrated", "place"]


@pytest.fixture
def desk(catalog: Catalog, clock: Clock) -> Desk:
    """An administrator's desk on an empty registry."""
    return Desk(catalog, clock)
