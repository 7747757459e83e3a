"""Does the jobs of the catalog's table: one at a time, while a second thread keeps the lease.

Any number of runners may work on one table, in servers and in `moorage worker`. A runner that dies loses its lease
after a minute, and the job begins again elsewhere, from its last checkpoint.
"""

import random
import threading
from collections.abc import Iterable
from datetime import timedelta

import structlog

from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogError, Conflict
from registry.catalog.jobs import Job
from registry.jobs.work import Interrupted, Kind, LeaseLost, Work
from storage.errors import StorageError

LOOK = 2.0
"""Seconds between two looks for work; a look is one indexed read."""
LEASE = 60.0
BEAT = LEASE / 4
FIRST_RETRY, LAST_RETRY = 10.0, 3600.0
MICROSECOND = timedelta(microseconds=1)

_log = structlog.get_logger("moorage.jobs")


class Runner:
    """A thread that does jobs of the kinds it knows, until it is told to stop."""

    def __init__(self, catalog: Catalog, kinds: Iterable[Kind], *, name: str) -> None:
        """Make a runner. `name` says in the list of jobs who does one."""
        self._catalog = catalog
        self._kinds = {kind.name: kind for kind in kinds}
        self._known = tuple(self._kinds)
        self._name = name
        self._stop = threading.Event()
        self._scheduled = False
        self._under_way: Work | None = None
        self._threads = [threading.Thread(target=loop, name="jobs") for loop in (self._work, self._beat)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; a job under way is waited for, or given back where its work can stop in the middle."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def turn(self) -> bool:
        """Do one job, if any is due; tells whether there was one. Raises CatalogError."""
        if not self._scheduled:
            self._schedule()
        job = self._claimed()
        if job is not None:
            self._attend(job)
        return job is not None

    def _work(self) -> None:
        pause = LOOK * random.SystemRandom().random()  # spreads workers
        while not self._stop.wait(pause):
            try:
                pause = 0.0 if self.turn() else LOOK * random.SystemRandom().uniform(1, 1.5)
            except CatalogError as error:
                _log.warning("jobs cannot be looked at; it will be tried again", reason=str(error))
                pause = 5 * LOOK

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            work = self._under_way
            if work is not None:
                self._keep(work)

    def _keep(self, work: Work) -> None:
        try:
            with self._catalog.begin(durable=False) as tx:
                tx.jobs.renew(work.job, _microseconds(LEASE))
        except Conflict:
            work.lost = True
        except CatalogError as error:
            _log.warning("a job's lease could not be renewed", job=work.job.id, kind=work.job.kind, reason=str(error))

    def _schedule(self) -> None:
        """See that what is done again and again is in the table, at the interval that the settings say."""
        with self._catalog.begin() as tx:
            for kind in self._kinds.values():
                if kind.every is None:
                    continue
                every = kind.every // MICROSECOND
                if not tx.jobs.enqueue(kind.name, dedup=kind.name, every=every):
                    tx.jobs.hasten(kind.name, kind.name, tx.now + every, every=every)
        self._scheduled = True

    def _claimed(self) -> Job | None:
        with self._catalog.read() as tx:
            if not tx.jobs.due(self._known):
                return None
        with self._catalog.begin() as tx:
            return tx.jobs.claim(self._known, worker=self._name, lease=_microseconds(LEASE))

    def _attend(self, job: Job) -> None:
        """Do a claimed job and note its end, unless it became another's meanwhile."""
        kind = self._kinds[job.kind]
        try:
            if job.attempts > kind.attempts:
                self._end(job, "failed", job.trouble or f"whoever did it went away, {kind.attempts} times")
            else:
                self._attempt(kind, job)
        except (Conflict, LeaseLost):
            _log.warning("a job is in other hands by now", job=job.id, kind=job.kind)

    def _attempt(self, kind: Kind, job: Job) -> None:
        work = self._under_way = Work(self._catalog, job, self._stop.is_set)
        try:
            result = kind.work(work)
        except LeaseLost:
            raise
        except Interrupted:
            with self._catalog.begin() as tx:
                tx.jobs.give_back(job)
        except Exception as error:  # whatever a job does, the next one has to be done too
            self._failed(kind, job, error)
        else:
            self._end(job, "done", result)
        finally:
            self._under_way = None

    def _failed(self, kind: Kind, job: Job, error: Exception) -> None:
        expected = isinstance(error, CatalogError | StorageError)
        trouble = str(error) if expected else f"{type(error).__name__}: {error}"
        last = job.attempts >= kind.attempts
        log = _log.warning if expected else _log.exception
        log("a job failed" + ("" if last else "; it will be tried again"), job=job.id, kind=job.kind, reason=trouble)
        if last:
            self._end(job, "failed", trouble)
            return
        with self._catalog.begin() as tx:
            tx.jobs.retry(job, trouble, tx.now + _microseconds(_pause(job.attempts)))

    def _end(self, job: Job, outcome: str, result: str) -> None:
        with self._catalog.begin() as tx:
            tx.jobs.end(job, outcome, result)
        if outcome == "done":
            log = _log.info if job.every is None else _log.debug  # what is done every hour is told by the history
            log("a job is done", job=job.id, kind=job.kind, result=result)


def _pause(attempts: int) -> float:
    """Give the seconds until the next attempt: each time twice as long, and never the same for two jobs."""
    return min(FIRST_RETRY * 2.0 ** (attempts - 1), LAST_RETRY) * random.SystemRandom().uniform(1, 1.25)


def _microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)
