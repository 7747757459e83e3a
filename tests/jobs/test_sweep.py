"""The jobs on a schedule: what uploads left behind goes, and so does what was kept for long enough."""

from datetime import timedelta
from pathlib import Path

import pytest

from registry.catalog.audit import AuditEvent
from registry.catalog.catalog import Catalog
from registry.catalog.jobs import DoneJob
from registry.content.uploads import UploadLimits, Uploads
from registry.jobs import sweep
from registry.jobs.sweep import purge_audit, purge_jobs, sweep_uploads
from registry.jobs.work import Kind
from storage.blobs import BlobStore
from storage.filesystem import FilesystemDriver
from storage.layout import Layout
from tests.content.conftest import NAME
from tests.jobs.conftest import Clock, MakeRunner

DAY = 86_400_000_000
HOUR = timedelta(hours=1)


@pytest.fixture
def uploads(catalog: Catalog, place: Path) -> Uploads:
    """Uploads on files."""
    Layout.open(place / "data", create=True)
    store = BlobStore(FilesystemDriver(place / "data", reserve=0))
    return Uploads(catalog, {"default": store}, store="default", limits=UploadLimits(HOUR, per_subject=1000))


def done(catalog: Catalog, runners: MakeRunner, kind: Kind) -> DoneJob:
    """Do a job once, and give what is told of it."""
    assert runners(kind).turn()
    with catalog.read() as tx:
        return tx.jobs.history()[0]


def test_unfinished_uploads_go(uploads: Uploads, runners: MakeRunner, clock: Clock) -> None:
    for _ in range(150):  # more than one batch
        uploads.start(NAME, subject="ann")
    clock.now += DAY
    uploads.start(NAME, subject="bob")
    line = done(uploads.catalog, runners, sweep_uploads(uploads, HOUR))
    assert (line.kind, line.outcome, line.result) == ("sweep-uploads", "done", "150 removed")
    with uploads.catalog.read() as tx:
        assert (tx.uploads.count("ann"), tx.uploads.count("bob")) == (0, 1)


def test_a_sweep_comes_to_an_end(uploads: Uploads, runners: MakeRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "sweep_sessions", lambda: 1)
    monkeypatch.setattr(sweep, "MOST_BATCHES", 3)
    assert done(uploads.catalog, runners, sweep_uploads(uploads, HOUR)).result == "3 removed"


def test_old_rows_of_the_trail_go(catalog: Catalog, runners: MakeRunner, clock: Clock) -> None:
    for _ in range(2):
        with catalog.begin() as tx:
            tx.audit.record(AuditEvent(actor="ann", actor_kind="user", action="push", result="ok"))
        clock.now += DAY
    assert done(catalog, runners, purge_audit(catalog, timedelta(days=1, hours=1))).result == "1 rows removed"


def test_old_history_goes(catalog: Catalog, runners: MakeRunner, clock: Clock) -> None:
    kind = purge_jobs(catalog, timedelta(days=2))
    results = []
    for _ in range(4):
        results.append(done(catalog, runners, kind).result)
        clock.now += DAY + 1
    assert results == ["0 rows removed", "0 rows removed", "1 rows removed", "1 rows removed"]
