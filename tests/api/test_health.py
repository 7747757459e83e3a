"""The probes: alive while the loop turns, ready while it can serve, and words for what is wrong."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.types import Message, Scope

from registry.api import health
from registry.api.health import Health
from registry.catalog.catalog import Catalog
from registry.edge.bridge import Lane
from storage.blobs import BlobStore
from storage.filesystem import FilesystemDriver
from storage.memory import MemoryDriver
from tests.catalog.conftest import Clock, address, catalog, clock, database, fast_directory, migrated, place
from tests.spec.conftest import Start
from tests.spec.registry import Registry, running

__all__ = ["Clock", "address", "catalog", "clock", "database", "fast_directory", "migrated", "place"]


@pytest.mark.parametrize(("path", "status"), [("/livez", "alive"), ("/readyz", "ready"), ("/healthz", "ready")])
def test_a_server_that_is_well(start: Start, path: str, status: str) -> None:
    answer = start().get(path).expect(200)
    assert answer.json() == {"status": status}
    assert answer["content-type"] == "application/json"


@pytest.fixture
def unremembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at every probe, not once a second."""
    monkeypatch.setattr(health, "REMEMBERED", -1.0)


@pytest.mark.usefixtures("unremembered")
def test_storage_that_takes_no_bytes_is_read_only_and_still_ready(fast_directory: Path, name: str) -> None:
    data = fast_directory / name.replace("/", "-")
    with running(data) as registry:
        (data / "uploads").rename(data / "away")
        document = registry.get("/readyz").expect(200).json()
        assert document["status"] == "read-only"
        assert str(data) in document["storage files"]
        (data / "away").rename(data / "uploads")
        assert registry.get("/readyz").expect(200).json() == {"status": "ready"}


def test_a_former_store_need_not_take_bytes(catalog: Catalog, place: Path) -> None:
    """A full disk is why people move."""
    former = BlobStore(FilesystemDriver(place / "nowhere"), name="files")
    stores = {"s3": BlobStore(MemoryDriver(), name="s3"), "files": former}
    with ThreadPoolExecutor(1) as executor:
        status, found = Health(catalog, stores, Lane(executor), writes="s3")._look()
        assert (status, list(found)) == ("ready", ["storage files"])
        status, found = Health(catalog, stores, Lane(executor), writes="files")._look()
        assert (status, list(found)) == ("read-only", ["storage files"])


@pytest.mark.usefixtures("unremembered")
def test_a_database_that_does_not_answer_is_503(fast_directory: Path, name: str) -> None:
    data = fast_directory / name.replace("/", "-")
    with running(data) as registry:
        registry.get("/readyz").expect(200)
        with sqlite3.connect(data / "moorage.db") as database:
            database.execute("ALTER TABLE repository RENAME TO elsewhere")
        database.close()
        document = registry.get("/readyz").expect(503).json()
        assert document["status"] == "down"
        assert "repository" in document["database"]
        registry.get("/livez").expect(200)


def test_a_look_is_remembered_for_a_second(fast_directory: Path, name: str) -> None:
    data = fast_directory / name.replace("/", "-")
    with running(data) as registry:
        registry.get("/readyz").expect(200)
        (data / "uploads").rename(data / "away")
        assert registry.get("/readyz").expect(200).json() == {"status": "ready"}


@pytest.mark.parametrize(("path", "status"), [("/livez", 200), ("/readyz", 503), ("/healthz", 503)])
def test_a_server_that_drains_is_alive_and_not_ready(start: Start, path: str, status: int) -> None:
    registry = start()
    assert registry.run(_status(registry, path, draining=lambda: True)) == status
    assert registry.run(_status(registry, path, draining=lambda: False)) == 200


async def _status(registry: Registry, path: str, draining: Callable[[], bool]) -> int:
    statuses: list[int] = []
    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": [], "state": {"draining": draining}}

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 0))

    async def receive() -> Message:
        raise AssertionError("a probe has no body")

    await registry.app(scope, receive, send)
    return statuses[0]
