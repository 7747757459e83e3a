"""The jobs that the registry does on a schedule: what uploads left, garbage, and what was kept for long enough."""

from collections.abc import Callable
from datetime import timedelta

from registry.catalog.catalog import Catalog, Transaction
from registry.content.collector import COLLECTOR, Collector, Freed
from registry.content.uploads import Uploads
from registry.jobs.work import Kind, Work

MICROSECOND = timedelta(microseconds=1)
PURGE_INTERVAL = timedelta(hours=1)
MOST_BATCHES = 1000
"""Then it is time for other jobs; the rest is for the next time."""


def sweep_uploads(uploads: Uploads, every: timedelta) -> Kind:
    """Remove upload sessions that nobody finished, and what stores hold for sessions that are gone."""

    def work(job: Work) -> str:
        removed = 0
        for _ in range(MOST_BATCHES):
            some = uploads.sweep_sessions()
            removed += some
            if not some:
                break
            job.note(f"{removed} removed")
        return f"{removed} removed"

    return Kind("sweep-uploads", work, every)


def collect_garbage(collector: Collector, every: timedelta) -> Kind:
    """Take out blobs that no manifest names and whose grace is over; their bytes go with the replaced keys."""

    def work(job: Work) -> str:
        def rest(freed: Freed) -> None:
            job.note(f"{freed.blobs} blobs, {freed.size} bytes") if freed.blobs else job.go_on()

        freed = collector.collect(COLLECTOR, rest)
        return f"{freed.blobs} blobs, {freed.size} bytes"

    return Kind("collect-garbage", work, every)


def purge_audit(catalog: Catalog, keep: timedelta) -> Kind:
    """Forget the audit trail's rows that are older than `keep`."""
    return _purging("purge-audit", catalog, lambda tx: tx.audit.purge(tx.now - keep // MICROSECOND))


def purge_jobs(catalog: Catalog, keep: timedelta) -> Kind:
    """Forget what jobs did longer ago than `keep`."""
    return _purging("purge-jobs", catalog, lambda tx: tx.jobs.purge(tx.now - keep // MICROSECOND))


def _purging(name: str, catalog: Catalog, purge: Callable[[Transaction], int]) -> Kind:
    def work(job: Work) -> str:
        removed, some = 0, 1
        while some:  # in batches, so that no transaction holds up a push
            with catalog.begin(durable=False) as tx:
                some = purge(tx)
            removed += some
            job.go_on()
        return f"{removed} rows removed"

    return Kind(name, work, PURGE_INTERVAL)
