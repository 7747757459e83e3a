"""Fixtures: a server that many tests share, each with a repository of its own, and servers with settings of their own.

They lie in memory where the machine offers that: these tests are about answers, and durability has its own.
"""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage.driver import Driver
from storage.memory import MemoryDriver
from storage.s3.driver import S3Driver
from tests.parts.ceph import Ceph
from tests.parts.postgres import Postgres
from tests.parts.versitygw import VersityGateway
from tests.spec.registry import Registry, running

POSTGRESQL = pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.slow])
S3 = pytest.param("s3", marks=pytest.mark.slow)
OTHER_S3 = pytest.param("other s3", marks=pytest.mark.slow)
BOTH = pytest.param("s3, postgresql", marks=[pytest.mark.postgresql, pytest.mark.slow])
Start = Callable[..., Registry]
ABOUT_BYTES = ("test_chunks", "test_mounts", "test_pull", "test_ranges", "test_uploads", "test_upload_machine")
"""What runs on the other S3 server: where the store's behaviour shows. The rest asks the catalog."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs no other S3 server."""
    items[:] = [item for item in items if item.path.stem in ABOUT_BYTES or "other s3" not in item.name]


@pytest.fixture(scope="session")
def fast_directory() -> Iterator[Path]:
    """A directory for the whole run, in memory if that can be."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="moorage-", dir=shared if shared.is_dir() else None) as directory:
        yield Path(directory)


@pytest.fixture(scope="session", params=["files", "memory", POSTGRESQL, S3, OTHER_S3, BOTH])
def backing(request: pytest.FixtureRequest) -> str:
    """Where the bytes are, in files unless it says so, and where the catalog is, in SQLite unless it says so."""
    return str(request.param)


@pytest.fixture(scope="session")
def driver(request: pytest.FixtureRequest, backing: str) -> Driver | None:
    """None for files; else a driver that behaves like S3, or one for S3 on a real server; there are two."""
    if backing == "other s3":
        other: VersityGateway = request.getfixturevalue("versitygw")
        return S3Driver(other.options(other.bucket(), prefix="spec/"))
    if "s3" in backing:
        ceph: Ceph = request.getfixturevalue("ceph")
        return S3Driver(ceph.options(ceph.bucket(), prefix="spec/"))
    return MemoryDriver() if backing == "memory" else None


@pytest.fixture(scope="session")
def registry(
    request: pytest.FixtureRequest, fast_directory: Path, backing: str, driver: Driver | None
) -> Iterator[Registry]:
    """A server with the default settings."""
    sections = {}
    if "postgresql" in backing:
        postgres: Postgres = request.getfixturevalue("postgres")
        sections = {"database": {"url": postgres.url(postgres.create())}}
    with running(fast_directory / uuid.uuid4().hex, sections, driver=driver) as registry:
        yield registry


@pytest.fixture
def name() -> str:
    """A repository that no other test uses."""
    return f"team/app-{uuid.uuid4().hex}"


@pytest.fixture
def start(fast_directory: Path) -> Iterator[Start]:
    """Start servers with settings of their own, on files, until the test ends: start(limits={...}, directory=...)."""
    with ExitStack() as stack:

        def run(directory: Path | None = None, driver: Driver | None = None, **sections: dict[str, object]) -> Registry:
            place = directory or fast_directory / uuid.uuid4().hex
            return stack.enter_context(running(place, sections, driver))

        yield run
