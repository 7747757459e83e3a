"""The sweeper: it runs while the app lives, survives trouble, and ends with the app."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable
from registry.content.uploads import UploadLimits, Uploads
from registry.edge.bridge import Lane
from registry.jobs import sweep
from registry.jobs.sweep import Sweeper
from storage.blobs import BlobStore
from storage.digest import Digest
from storage.errors import Unavailable
from storage.filesystem import FilesystemDriver
from storage.layout import Layout
from tests.catalog.conftest import Clock, address, catalog, clock, database, fast_directory, migrated, place
from tests.content.conftest import NAME

__all__ = ["Clock", "address", "catalog", "clock", "database", "fast_directory", "migrated", "place"]


@pytest.fixture
def uploads(catalog: Catalog, place: Path, monkeypatch: pytest.MonkeyPatch) -> Uploads:
    """Uploads on files; the sweeper looks every hundredth of a second."""
    monkeypatch.setattr(sweep, "KEYS_INTERVAL", 0.01)
    Layout.open(place / "data", create=True)
    store = BlobStore(FilesystemDriver(place / "data", reserve=0))
    limits = UploadLimits(timedelta(hours=1), per_subject=10)
    return Uploads(catalog, {"default": store}, store="default", limits=limits)


def swept_until(uploads: Uploads, done: Callable[[], bool], interval: timedelta = timedelta(0)) -> None:
    """Let the sweeper run until something is done, and end it."""

    async def run() -> None:
        executor = ThreadPoolExecutor(1)
        sweeper = Sweeper(uploads, Lane(executor), interval)
        sweeper.start()
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.01)
        await sweeper.stop()
        executor.shutdown()

    asyncio.run(run())


def test_it_sweeps_sessions_and_keys(uploads: Uploads, clock: Clock) -> None:
    uploads.start(NAME, subject="ann")
    with uploads.catalog.begin() as tx:
        tx.blobs.discard("default", f"blobs/sha256/aa/{Digest.of(b'x').encoded}.{'0' * 32}", tx.now)
    clock.now += 2 * 3_600_000_000

    def done() -> bool:
        with uploads.catalog.read() as tx:
            return tx.uploads.count("ann") == 0 and not tx.blobs.discarded(1)

    swept_until(uploads, done)


def test_sessions_wait_for_their_interval(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"sessions": 0, "keys": 0}

    def counting(kind: str) -> Callable[[], int]:
        def count() -> int:
            counts[kind] += 1
            return 0

        return count

    monkeypatch.setattr(uploads, "sweep_sessions", counting("sessions"))
    monkeypatch.setattr(uploads, "sweep_keys", counting("keys"))
    swept_until(uploads, lambda: counts["keys"] >= 5, timedelta(hours=1))
    assert counts["sessions"] == 1  # the first comes at once, for a restart may have left something


@pytest.mark.parametrize("trouble", [Unavailable("I/O error"), CatalogUnavailable("locked")])
def test_trouble_is_told_and_tried_again(uploads: Uploads, trouble: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def failing() -> int:
        calls.append(1)
        raise trouble

    monkeypatch.setattr(uploads, "sweep_keys", failing)
    swept_until(uploads, lambda: len(calls) >= 3)


def test_an_end_before_the_start_is_harmless(uploads: Uploads) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(1) as executor:
            await Sweeper(uploads, Lane(executor), timedelta(hours=1)).stop()

    asyncio.run(run())
