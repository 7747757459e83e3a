"""The audit trail: who did what, from where, and what came of it; as rows of the catalog and as lines of JSON.

What changes content, rights or keys is recorded in the transaction that changes it, and so fails with it; a sign-in or
a token never waits for a write: its line is written at once and its row with the next `flush` (design: "Writes that
may fail"). Never holds a secret: what goes in are names, digests and sentences of ours.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import structlog

from registry.catalog.audit import AuditEvent
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import CatalogUnavailable

QUEUE_LIMIT = 10_000
"""Rows that wait for the database; past that they are dropped and counted, but their lines are written."""

BATCH = 1000

Write = Callable[[bytes], None]
"""Takes one whole line; never raises, for nobody could do anything about it."""

_log = structlog.get_logger("moorage.audit")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who acts, and from where.

    Args: kind: user, robot, anonymous, open (open mode) or operator (the command line); credential: the id of the
          token or secret that was used; agent: the client's own name for itself, as sent.
    """

    actor: str
    kind: str
    credential: str | None = None
    address: str = ""
    agent: str = ""
    request_id: str = ""

    def event(
        self,
        action: str,
        *,
        repository: str | None = None,
        reference: str | None = None,
        old: str | None = None,
        new: str | None = None,
        result: str = "ok",
        reason: str = "",
    ) -> AuditEvent:
        """Say what happened; `old` and `new` are digests."""
        return AuditEvent(
            at=time.time_ns() // 1000,
            request_id=self.request_id,
            actor=self.actor,
            actor_kind=self.kind,
            credential=self.credential,
            address=self.address,
            agent=self.agent[:256],
            action=action,
            repository=repository,
            reference=reference,
            old_digest=old,
            new_digest=new,
            result=result,
            reason=reason,
        )


@dataclass(slots=True)
class Change:
    """A transaction whose audit rows are committed with it."""

    tx: Transaction
    origin: Origin
    events: list[AuditEvent] = field(default_factory=list)

    def record(
        self,
        action: str,
        *,
        repository: str | None = None,
        reference: str | None = None,
        old: str | None = None,
        new: str | None = None,
        reason: str = "",
    ) -> None:
        """Note one thing that this transaction does."""
        event = self.origin.event(action, repository=repository, reference=reference, old=old, new=new, reason=reason)
        self.tx.audit.record(event)
        self.events.append(event)


class Audit:
    """The trail of one process; safe to use from any thread.

    Args: write: where the lines go.
    """

    def __init__(self, catalog: Catalog, write: Write) -> None:
        self._catalog = catalog
        self._write = write
        self._waiting: deque[AuditEvent] = deque()
        self._dropped = 0
        self._lock = threading.Lock()

    @contextmanager
    def begin(self, origin: Origin) -> Iterator[Change]:
        """Open a writing transaction with its trail. Raises CatalogUnavailable or CatalogFull, also when it commits."""
        with self._catalog.begin() as tx:
            change = Change(tx, origin)
            yield change
        for event in change.events:
            self._write(as_line(event))

    def note(self, event: AuditEvent) -> None:
        """Note what must not wait for the database."""
        self._write(as_line(event))
        with self._lock:
            if len(self._waiting) < QUEUE_LIMIT:
                self._waiting.append(event)
            else:
                self._dropped += 1

    def flush(self) -> int:
        """Write the rows that wait, and tell how many; what the database cannot take now is tried again."""
        written = 0
        while batch := self._batch():
            try:
                with self._catalog.begin(durable=False) as tx:
                    tx.audit.record_many(batch)
            except CatalogUnavailable:
                with self._lock:
                    self._waiting.extendleft(reversed(batch))
                raise
            written += len(batch)
        self._tell_dropped()
        return written

    def _batch(self) -> list[AuditEvent]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _tell_dropped(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            _log.warning("audit rows were dropped while the database took none; their lines were written", rows=dropped)


def as_line(event: AuditEvent) -> bytes:
    """Write an event as one line of JSON; JSON escapes what could forge a line."""
    second, microsecond = divmod(event.at, 1_000_000)
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{microsecond // 1000:03d}Z"
    fields = {
        "time": stamp,
        "request_id": event.request_id,
        "actor": event.actor,
        "actor_kind": event.actor_kind,
        "credential": event.credential,
        "address": event.address,
        "agent": event.agent,
        "action": event.action,
        "repository": event.repository,
        "reference": event.reference,
        "old_digest": event.old_digest,
        "new_digest": event.new_digest,
        "result": event.result,
        "reason": event.reason,
    }
    return orjson.dumps({name: value for name, value in fields.items() if value not in (None, "")}) + b"\n"


def line_file(path: Path) -> Write:
    """Append lines to a file, readable by its owner alone.

    The file is opened for each line, so that it can be moved away at any time and its next line starts a new one.
    """

    def write(line: bytes) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            _log.error("the audit file cannot be opened", path=str(path), reason=str(error))
            return
        try:
            os.write(descriptor, line)
        except OSError as error:
            _log.error("the audit file cannot be written", path=str(path), reason=str(error))
        finally:
            os.close(descriptor)

    return write


def no_lines(line: bytes) -> None:
    """Write no lines: rows of the catalog are enough."""
