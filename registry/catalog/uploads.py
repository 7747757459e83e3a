"""Upload sessions: what is needed to go on with an upload in any process, after any restart."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, select, update

from registry.catalog import tables
from registry.catalog.errors import Conflict, NotFound
from registry.oci.names import RepositoryName

_row = tables.upload_session
_columns = (
    _row.c.id,
    _row.c.repository_id,
    tables.repository.c.name,
    _row.c.subject,
    _row.c.store,
    _row.c.offset,
    _row.c.state,
    _row.c.active_at,
)
_sessions = select(*_columns).join(tables.repository, tables.repository.c.id == _row.c.repository_id)
_by_id = _sessions.where(_row.c.id == bindparam("id"))
_of_subject = (
    _sessions.where(_row.c.subject == bindparam("subject")).order_by(_row.c.active_at).limit(bindparam("limit"))
)
_stale = _sessions.where(_row.c.active_at < bindparam("before")).order_by(_row.c.active_at).limit(bindparam("limit"))
_held = select(_row.c.id).where(_row.c.id == bindparam("id")).with_for_update()
_advance = (
    update(_row)
    .where(_row.c.id == bindparam("session"), _row.c.offset == bindparam("seen"))
    .values(offset=bindparam("reached"), state=bindparam("now_state"), active_at=bindparam("at"))
)
_touch = (
    update(_row)
    .where(_row.c.id == bindparam("session"), _row.c.offset == bindparam("seen"), _row.c.active_at == bindparam("was"))
    .values(active_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An open upload. `offset`: bytes that are safe; `state`: what the store needs to go on; times in µs since 1970."""

    id: str
    repository_id: int
    repository: RepositoryName
    subject: str
    store: str
    offset: int
    state: bytes
    active_at: int


class UploadSessions:
    """The upload sessions, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def open(self, session_id: str, repository_id: int, *, subject: str, store: str, state: bytes) -> None:
        """Note a new session before its first byte."""
        row = {
            "id": session_id,
            "repository_id": repository_id,
            "subject": subject,
            "store": store,
            "offset": 0,
            "state": state,
            "started_at": self._now,
            "active_at": self._now,
        }
        self._connection.execute(insert(_row), row)

    def get(self, session_id: str) -> UploadSession:
        """Find a session. Raises NotFound."""
        # PostgreSQL has no NUL in its texts, and so no session of such a name.
        row = None if "\0" in session_id else self._connection.execute(_by_id, {"id": session_id}).one_or_none()
        if row is None:
            raise NotFound(session_id)
        return _session(row)

    def settle(self, session_id: str) -> None:
        """Wait until no other transaction has anything to say about a session: one whose COMMIT got lost on the way."""
        self._connection.execute(_held, {"id": session_id})

    def exists(self, session_id: str) -> bool:
        """Tell whether there is such a session."""
        return bool(self._connection.execute(select(exists().where(_row.c.id == session_id))).scalar_one())

    def stands(self, session: UploadSession) -> bool:
        """Tell whether a session is as it was read: nobody has ended it, and no byte has come since."""
        query = select(exists().where(_row.c.id == session.id, _row.c.active_at == session.active_at))
        return bool(self._connection.execute(query).scalar_one())

    def advance(self, session: UploadSession, offset: int, state: bytes) -> None:
        """Note how far the bytes are safe. Raises Conflict if another writer moved the session meanwhile."""
        row = {"session": session.id, "seen": session.offset, "reached": offset, "now_state": state, "at": self._now}
        if self._connection.execute(_advance, row).rowcount != 1:
            raise Conflict(session.id)

    def touch(self, session: UploadSession) -> UploadSession:
        """Note that bytes are coming; give the session as it is then. Raises Conflict if it is not as it was read."""
        row = {"session": session.id, "seen": session.offset, "was": session.active_at, "at": self._now}
        if self._connection.execute(_touch, row).rowcount != 1:
            raise Conflict(session.id)
        return replace(session, active_at=self._now)

    def finish(self, session: UploadSession) -> bool:
        """Forget a session whose bytes are a blob now; False where it is gone or somebody took it over meanwhile."""
        query = delete(_row).where(_row.c.id == session.id, _row.c.active_at == session.active_at)
        return self._connection.execute(query).rowcount == 1

    def take_over(self, session_id: str) -> None:
        """Let whoever read the session before find that it cannot be finished any more."""
        query = update(_row).where(_row.c.id == session_id).values(active_at=_row.c.active_at + 1)
        self._connection.execute(query)

    def close(self, session_id: str) -> bool:
        """Forget a session; tells whether it was there."""
        return self._connection.execute(delete(_row).where(_row.c.id == session_id)).rowcount == 1

    def count(self, subject: str) -> int:
        """Count a subject's open sessions."""
        query = select(func.count()).select_from(_row).where(_row.c.subject == subject)
        return int(self._connection.execute(query).scalar_one())

    def oldest(self, subject: str, limit: int) -> list[UploadSession]:
        """List a subject's sessions, the longest idle first."""
        rows = self._connection.execute(_of_subject, {"subject": subject, "limit": limit})
        return [_session(row) for row in rows]

    def stale(self, before: int, limit: int) -> list[UploadSession]:
        """List sessions that moved no byte since `before` (µs since 1970)."""
        return [_session(row) for row in self._connection.execute(_stale, {"before": before, "limit": limit})]


def _session(row: Row[*tuple[Any, ...]]) -> UploadSession:
    values = dict(row._mapping)
    return UploadSession(repository=RepositoryName(values.pop("name")), **values)
