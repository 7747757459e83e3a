"""Jobs: work that no request waits for, done at least once by whoever holds its lease (design: "Jobs").

A job is enqueued in the transaction of what it follows from. Whoever claims it gets a lease with a word of its own; all
that he says of the job afterwards counts only while the row still bears that word, so that a worker who was taken for
gone can neither end nor move what another has begun again.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, delete, func, insert, or_, select, update

from registry.catalog import tables
from registry.catalog.errors import Conflict, NotFound
from registry.catalog.upserts import Upsert

_row, _history = tables.job, tables.job_history

_free = or_(_row.c.leased_until.is_(None), _row.c.leased_until <= bindparam("now"))
_due = select(_row.c.id).where(
    _row.c.due_at <= bindparam("now"), _free, _row.c.kind.in_(bindparam("kinds", expanding=True))
)
_first_due = _due.order_by(_row.c.due_at, _row.c.id).limit(1)
_claim = (
    update(_row)
    .where(_row.c.id == _first_due.with_for_update(skip_locked=True).scalar_subquery())
    .values(
        lease=bindparam("word"),
        leased_until=bindparam("until"),
        worker=bindparam("who"),
        begun_at=bindparam("now"),
        attempts=_row.c.attempts + 1,
    )
)
_mine = (_row.c.id == bindparam("job"), _row.c.lease == bindparam("word"))
_enqueue = Upsert(_row, ("kind", "dedup"))
_sooner = (
    update(_row)
    .where(_row.c.kind == bindparam("of"), _row.c.dedup == bindparam("like"))
    .values(
        every=func.coalesce(bindparam("interval"), _row.c.every),
        due_at=case((_row.c.due_at > bindparam("latest"), bindparam("latest")), else_=_row.c.due_at),
    )
)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is not finished. Times are µs since 1970, `every` µs; `payload` and `checkpoint` are JSON."""

    id: int
    kind: str
    dedup: str | None
    payload: str
    every: int | None
    created_at: int
    due_at: int
    attempts: int
    lease: str | None
    leased_until: int | None
    worker: str | None
    begun_at: int | None
    progress: str
    checkpoint: str | None
    trouble: str | None


@dataclass(frozen=True, slots=True)
class DoneJob:
    """What became of a job once: done, failed or cancelled. Times are µs since 1970."""

    id: int
    job_id: int
    kind: str
    payload: str
    outcome: str
    attempts: int
    worker: str | None
    begun_at: int | None
    ended_at: int
    result: str


_columns = tuple(_row.c[field.name] for field in fields(Job))


class Jobs:
    """The jobs and their history, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def enqueue(
        self,
        kind: str,
        *,
        payload: str = "{}",
        dedup: str | None = None,
        due_at: int | None = None,
        every: int | None = None,
    ) -> bool:
        """Note work to be done once this transaction is committed; False where an unfinished job stands for it.

        Args: dedup: no two unfinished jobs of a kind share it; due_at: not before (µs since 1970), none: at once;
              every: µs from its end to its next time, none: it is done once.
        """
        due_at = self._now if due_at is None else due_at
        row = {"kind": kind, "payload": payload, "dedup": dedup, "every": every, "due_at": due_at}
        row["created_at"] = self._now
        return self._connection.execute(_enqueue.on(self._connection), row).rowcount == 1

    def hasten(self, kind: str, dedup: str, due_at: int, *, every: int | None = None) -> bool:
        """Let an unfinished job be due at `due_at` at the latest; tells whether there is one. `every`: from now on."""
        row = {"of": kind, "like": dedup, "latest": due_at, "interval": every}
        return self._connection.execute(_sooner, row).rowcount == 1

    def due(self, kinds: Collection[str]) -> bool:
        """Tell whether there is work of these kinds that nobody does; a look, which locks nothing."""
        return self._connection.execute(_first_due, {"now": self._now, "kinds": kinds}).first() is not None

    def claim(self, kinds: Collection[str], *, worker: str, lease: int) -> Job | None:
        """Take the job of these kinds that has been due for longest, for `lease` µs; None where there is none."""
        row = {"now": self._now, "kinds": kinds, "word": uuid.uuid4().hex, "until": self._now + lease, "who": worker}
        claimed = self._connection.execute(_claim.returning(*_columns), row).one_or_none()
        return _job(claimed) if claimed is not None else None

    def renew(self, job: Job, lease: int) -> None:
        """Hold a job's lease for `lease` µs from now. Raises Conflict where it is another's, or the job is gone."""
        self._change(job, leased_until=self._now + lease)

    def note(self, job: Job, *, progress: str, checkpoint: str | None) -> None:
        """Note how far a job is, and from where whoever comes next goes on. Raises Conflict as `renew` does."""
        self._change(job, progress=progress, checkpoint=checkpoint)

    def give_back(self, job: Job) -> None:
        """Leave a job to whoever comes next, as if it had not been begun this time. Raises Conflict."""
        self._change(job, lease=None, leased_until=None, attempts=job.attempts - 1)

    def retry(self, job: Job, trouble: str, due_at: int) -> None:
        """Let a job that failed be tried again at `due_at`. Raises Conflict."""
        self._change(job, lease=None, leased_until=None, trouble=trouble, due_at=due_at)

    def end(self, job: Job, outcome: str, result: str) -> None:
        """Note what became of a job; one that is done again and again waits for its next time. Raises Conflict."""
        if job.every is None:
            self._expect_one(delete(_row).where(*_mine), job)
        else:
            fresh = {"attempts": 0, "progress": "", "checkpoint": None, "trouble": None}
            self._change(job, lease=None, leased_until=None, due_at=self._now + job.every, **fresh)
        self._tell(job, outcome, result)

    def cancel(self, job_id: int) -> Job:
        """Forget an unfinished job; whoever works on it finds its lease gone. Raises NotFound."""
        row = self._connection.execute(delete(_row).where(_row.c.id == job_id).returning(*_columns)).one_or_none()
        if row is None:
            raise NotFound(f"job {job_id}")
        job = _job(row)
        self._tell(job, "cancelled", job.progress)
        return job

    def get(self, job_id: int) -> Job:
        """Find an unfinished job. Raises NotFound."""
        row = self._connection.execute(select(*_columns).where(_row.c.id == job_id)).one_or_none()
        if row is None:
            raise NotFound(f"job {job_id}")
        return _job(row)

    def unfinished(self, limit: int) -> list[Job]:
        """List unfinished jobs, the first due first."""
        query = select(*_columns).order_by(_row.c.due_at, _row.c.id).limit(limit)
        return [_job(row) for row in self._connection.execute(query)]

    def history(self, *, kind: str | None = None, before_id: int | None = None, limit: int = 100) -> list[DoneJob]:
        """List what was done, the newest first; before_id: the id of the last line of the page before."""
        query = select(*_history.c).order_by(_history.c.id.desc()).limit(limit)
        if kind is not None:
            query = query.where(_history.c.kind == kind)
        if before_id is not None:
            query = query.where(_history.c.id < before_id)
        return [DoneJob(**row._mapping) for row in self._connection.execute(query)]

    def purge(self, before: int, limit: int = 10_000) -> int:
        """Forget up to `limit` of what ended before `before` (µs since 1970); tells how many went."""
        old = select(_history.c.id).where(_history.c.ended_at < before).order_by(_history.c.ended_at).limit(limit)
        return self._connection.execute(delete(_history).where(_history.c.id.in_(old))).rowcount

    def _change(self, job: Job, **values: object) -> None:
        self._expect_one(update(_row).where(*_mine).values(values), job)

    def _expect_one(self, statement: Any, job: Job) -> None:
        if self._connection.execute(statement, {"job": job.id, "word": job.lease}).rowcount != 1:
            raise Conflict(f"job {job.id} is in other hands by now")

    def _tell(self, job: Job, outcome: str, result: str) -> None:
        row = {
            "job_id": job.id,
            "kind": job.kind,
            "payload": job.payload,
            "outcome": outcome,
            "attempts": job.attempts,
            "worker": job.worker,
            "begun_at": job.begun_at,
            "ended_at": self._now,
            "result": result,
        }
        self._connection.execute(insert(_history), row)


def _job(row: Row[*tuple[Any, ...]]) -> Job:
    return Job(**row._mapping)
