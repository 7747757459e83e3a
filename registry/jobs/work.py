"""What a piece of work sees of the job that it does: what it is about, how far it was, and whether to stop."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from registry.catalog.catalog import Catalog
from registry.catalog.errors import Conflict
from registry.catalog.jobs import Job


class Interrupted(Exception):
    """The worker is told to stop; what is left is done by whoever comes next."""


class LeaseLost(Exception):
    """The job was cancelled, or somebody else does it by now."""


class Work:
    """One attempt at a job. Its work is done at least once: a worker may go away between the deed and its note."""

    def __init__(self, catalog: Catalog, job: Job, stopping: Callable[[], bool]) -> None:
        self.job = job
        self.payload: Any = orjson.loads(job.payload)
        self.checkpoint: Any = None if job.checkpoint is None else orjson.loads(job.checkpoint)
        self.lost = False
        self._catalog = catalog
        self._stopping = stopping

    def go_on(self) -> None:
        """Be called often, where the work can stop. Raises Interrupted, LeaseLost."""
        if self.lost:
            raise LeaseLost
        if self._stopping():
            raise Interrupted

    def note(self, progress: str, checkpoint: object = None) -> None:
        """Note how far the work is. Raises Interrupted or LeaseLost, where it is to stop; CatalogUnavailable.

        Args: progress: for people; checkpoint: JSON, which the next attempt finds if this one comes to no end.
        """
        text = None if checkpoint is None else orjson.dumps(checkpoint).decode()
        try:
            with self._catalog.begin(durable=False) as tx:
                tx.jobs.note(self.job, progress=progress, checkpoint=text)
        except Conflict:
            raise LeaseLost from None
        self.checkpoint = checkpoint
        self.go_on()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: what does it, and gives what came of it in a few words.

    Args: every: done again and again, this long after each end; none: only when it is enqueued.
          attempts: after so many it has failed.
    """

    name: str
    work: Callable[[Work], str]
    every: timedelta | None = None
    attempts: int = 5
