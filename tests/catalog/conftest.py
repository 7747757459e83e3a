"""A catalog on a file, in memory where the machine offers that, with a clock that tests set."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database, connect
from tests.spec.conftest import fast_directory

__all__ = ["fast_directory"]


@dataclass
class Clock:
    """Microseconds since 1970, as a test wants them."""

    now: int = 1_000_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def place(fast_directory: Path) -> Path:
    """An empty directory."""
    path = fast_directory / uuid.uuid4().hex
    path.mkdir()
    return path


@pytest.fixture
def database(place: Path) -> Iterator[Database]:
    """A database without tables."""
    database = connect(f"sqlite:///{place / 'moorage.db'}", pool_size=8)
    yield database
    database.close()


@pytest.fixture
def clock() -> Clock:
    """The catalog's clock."""
    return Clock()


@pytest.fixture
def catalog(database: Database, place: Path, clock: Clock) -> Catalog:
    """An empty catalog."""
    schema.upgrade(database, place / "migration.lock")
    return Catalog(database, clock)
