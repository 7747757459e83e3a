"""The audit trail: who did what from where, and how it ended. Lines are added, and go only when they are old."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select

from registry.catalog import tables

LATENESS = 600_000_000
"""Microseconds by which a line may be written after the time that it tells of."""

_row = tables.audit
_insert = insert(_row)
_last_before = (
    select(_row.c.id).where(_row.c.at < bindparam("surely_before")).order_by(_row.c.at.desc()).limit(1)
).scalar_subquery()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One line. `at` is in µs since 1970, 0 for the transaction's time; `result` is `ok`, `failed` or `denied`.

    `credential` is the id of what the actor identified themselves with; `reason` says why it ended so.
    """

    actor: str
    actor_kind: str
    action: str
    result: str
    reason: str = ""
    repository: str | None = None
    reference: str | None = None
    old_digest: str | None = None
    new_digest: str | None = None
    credential: str | None = None
    address: str = ""
    agent: str = ""
    request_id: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An event as it was recorded, with its place in the trail."""

    id: int
    event: AuditEvent


_NAMES = tuple(field.name for field in fields(AuditEvent))


class AuditTrail:
    """The audit trail, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def record(self, event: AuditEvent) -> None:
        """Add one line."""
        self.record_many((event,))

    def record_many(self, events: Iterable[AuditEvent]) -> None:
        """Add lines in the order in which they are given."""
        rows = [{**asdict(event), "at": event.at or self._now} for event in events]
        if rows:
            self._connection.execute(_insert, rows)

    def page(
        self,
        *,
        actor: str | None = None,
        repository: str | None = None,
        action: str | None = None,
        since: int | None = None,
        after_id: int | None = None,
        limit: int = 100,
    ) -> list[AuditLine]:
        """List up to `limit` lines, the newest first, that match whatever is given.

        Args: since: a time in µs since 1970; after_id: the id of the last line of the page before.
        """
        equal = {_row.c.actor: actor, _row.c.repository: repository, _row.c.action: action}
        where: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
        if after_id is not None:
            where.append(_row.c.id < after_id)
        if since is not None:
            # The walk goes by id, and may end where the rest was written, not only happened, before.
            where += [_row.c.at >= since, _row.c.id > func.coalesce(_last_before, 0)]
        query = select(*_row.c).where(*where).order_by(_row.c.id.desc()).limit(limit)
        rows = self._connection.execute(query, {"surely_before": (since or 0) - LATENESS})
        return [AuditLine(row.id, AuditEvent(**{name: row._mapping[name] for name in _NAMES})) for row in rows]

    def purge(self, before: int, limit: int = 10_000) -> int:
        """Forget up to `limit` of the lines from before `before` (µs since 1970); tells how many went."""
        old = select(_row.c.id).where(_row.c.at < before).order_by(_row.c.at).limit(limit)
        return self._connection.execute(delete(_row).where(_row.c.id.in_(old))).rowcount
