"""A process that is killed in the middle of a job: another one goes on from the checkpoint, once the lease ran out."""

import multiprocessing
import multiprocessing.connection
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database, connect
from registry.jobs import runner as running
from registry.jobs.runner import Runner
from registry.jobs.work import Kind, Work
from tests.catalog.conftest import address, database, fast_directory, place

__all__ = ["address", "database", "fast_directory", "place"]

LEASE = 1.0
WITHIN = 60.0


@pytest.fixture
def catalog(database: Database, place: Path) -> Catalog:
    """An empty catalog, whose time is the database's own."""
    schema.upgrade(database, place / "migration.lock")
    return Catalog(database)


@pytest.fixture(autouse=True)
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(running, "LEASE", LEASE)
    monkeypatch.setattr(running, "BEAT", LEASE / 4)
    monkeypatch.setattr(running, "LOOK", 0.05)
    yield


def work_there(address: str, told: multiprocessing.connection.Connection) -> None:
    """In another process: do half of the job, say so, and hang."""

    def half(work: Work) -> str:
        work.note("half", {"next": 5})
        told.send(work.job.id)
        threading.Event().wait()
        return ""

    Runner(Catalog(connect(address, pool_size=2)), (Kind("count", half),), name="there").start()


def test_another_process_goes_on_where_the_killed_one_was(catalog: Catalog, address: str) -> None:
    with catalog.begin() as tx:
        tx.jobs.enqueue("count")
    listening, telling = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=work_there, args=(address, telling))
    process.start()
    assert listening.poll(WITHIN)
    here = Runner(catalog, (Kind("count", lambda work: f"from {work.checkpoint['next']}"),), name="here")
    here.start()
    try:
        end = time.monotonic() + 3 * LEASE
        while time.monotonic() < end:  # it is alive, and keeps its lease for longer than one lasts
            with catalog.read() as tx:
                assert tx.jobs.history() == []
            time.sleep(LEASE / 10)
        process.kill()
        process.join()
        end = time.monotonic() + WITHIN
        while True:
            with catalog.read() as tx:
                done = tx.jobs.history()
            if done:
                break
            assert time.monotonic() < end
            time.sleep(LEASE / 10)
    finally:
        here.stop()
    assert [(job.worker, job.attempts, job.result) for job in done] == [("here", 2, "from 5")]
