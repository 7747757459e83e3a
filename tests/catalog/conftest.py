"""A catalog on each database, in memory where the machine offers that, with a clock that tests set.

Every test runs on SQLite and, marked `postgresql`, on PostgreSQL; one that is about SQLite itself says `only_sqlite`.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database, connect
from registry.catalog.errors import Conflict
from tests.parts.postgres import Postgres
from tests.spec.conftest import fast_directory

__all__ = ["fast_directory"]

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)
REFUSED = (IntegrityError, Conflict)
"""What a row that breaks a rule is refused with: a Conflict where another transaction could have been the reason."""
only_sqlite = pytest.mark.parametrize("address", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("address", [POSTGRESQL], indirect=True)


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


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """A PostgreSQL database at head that others are copied from; nobody stays connected to it."""
    name = postgres.create()
    database = connect(postgres.url(name), pool_size=2)
    schema.upgrade(database, Path("unused"))
    database.close()
    return name


@pytest.fixture(params=["sqlite", POSTGRESQL])
def address(request: pytest.FixtureRequest, place: Path) -> Iterator[str]:
    """Where a database is: an empty one, or for whoever wants the catalog too, on PostgreSQL, one at head."""
    if request.param == "sqlite":
        yield f"sqlite:///{place / 'moorage.db'}"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    copied = "catalog" in request.fixturenames
    name = postgres.create(request.getfixturevalue("migrated")) if copied else postgres.create()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    """A database without tables, unless the test wants the catalog too."""
    database = connect(address, pool_size=8)
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
