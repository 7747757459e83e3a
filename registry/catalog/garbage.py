"""What no manifest names any more: blobs and single links whose grace is over, found by index, never by a listing.

A blob is garbage when no manifest of any repository names it and its last reference, and every lease on it, are older
than the grace. A link is garbage when no manifest of its own repository needs it and its lease is over, though others
may hold the blob. Whatever is decided here is decided on locked rows, in statements that run after the lock: a push, a
mount or a HEAD that came first is seen, and one that comes later finds the row gone (reliability.md, hazard 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, delete, exists, or_, select

from registry.catalog import tables
from registry.catalog.journal import Change, Journal
from registry.oci.descriptors import Role
from storage.digest import Digest

_blob, _link, _lease = tables.blob, tables.blob_link, tables.lease
_reference, _repository, _discarded = tables.manifest_reference, tables.repository, tables.discarded_key

_named = exists().where(_reference.c.digest == _blob.c.digest, _reference.c.role != Role.SUBJECT.value)
_leased = exists().where(_lease.c.blob_id == _blob.c.id, _lease.c.renewed_at > bindparam("before"))
_over = and_(_blob.c.unreferenced_at.is_not(None), _blob.c.unreferenced_at <= bindparam("before"))
_columns = (_blob.c.id, _blob.c.digest, _blob.c.size, _blob.c.store, _blob.c.key, _blob.c.unreferenced_at)

_candidates = (
    select(_blob.c.id, _blob.c.digest, _blob.c.size, _blob.c.unreferenced_at)
    .where(
        _over,
        or_(
            _blob.c.unreferenced_at > bindparam("after_time"),
            and_(_blob.c.unreferenced_at == bindparam("after_time"), _blob.c.id > bindparam("after_id")),
        ),
        ~_leased,
    )
    .order_by(_blob.c.unreferenced_at, _blob.c.id)
    .limit(bindparam("limit"))
)
_locked = (
    select(_blob.c.id)
    .where(_blob.c.digest.in_(bindparam("digests", expanding=True)))
    .order_by(_blob.c.digest)
    .with_for_update()
)
_garbage = select(*_columns).where(_blob.c.digest.in_(bindparam("digests", expanding=True)), _over, ~_leased, ~_named)
_holders = (
    select(_link.c.blob_id, _link.c.repository_id, _repository.c.name)
    .join(_repository, _repository.c.id == _link.c.repository_id)
    .where(_link.c.blob_id.in_(bindparam("ids", expanding=True)))
    .order_by(_repository.c.name)
)


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk through the garbage is: it goes by time, then by the row's number."""

    unreferenced_at: int = -1
    blob_id: int = -1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A blob that looked like garbage when it was read. `size` is in bytes."""

    digest: Digest
    size: int
    place: Place


@dataclass(frozen=True, slots=True)
class Collected:
    """A blob whose rows are gone, and the names of the repositories that had a link to it."""

    digest: Digest
    size: int
    store: str
    key: str
    repositories: tuple[str, ...]


class Garbage:
    """The garbage, within one transaction."""

    def __init__(self, connection: Connection, now: int, journal: Journal) -> None:
        self._connection = connection
        self._now = now
        self._journal = journal

    def candidates(self, before: int, after: Place, limit: int) -> list[Candidate]:
        """List blobs that have been without reference and lease since `before` (µs since 1970), from `after` on.

        Costs what it finds, whatever else the catalog holds.
        """
        parameters = {
            "before": before,
            "after_time": after.unreferenced_at,
            "after_id": after.blob_id,
            "limit": limit,
        }
        return [
            Candidate(Digest.parse(row.digest), row.size, Place(row.unreferenced_at, row.id))
            for row in self._connection.execute(_candidates, parameters)
        ]

    def collect(self, digests: Sequence[Digest], before: int) -> list[Collected]:
        """Take those of these blobs that are still garbage out of the catalog, and note their keys as discarded.

        The bytes go once the caller's transaction has committed, when the time of a replaced key has passed.
        """
        wanted = sorted(str(digest) for digest in digests)
        self._connection.execute(_locked, {"digests": wanted}).all()
        rows = self._connection.execute(_garbage, {"digests": wanted, "before": before}).all()
        ids = [row.id for row in rows]
        holders: dict[int, list[tuple[int, str]]] = {}
        for link in self._connection.execute(_holders, {"ids": ids}) if ids else ():
            holders.setdefault(link.blob_id, []).append((link.repository_id, link.name))
        for row in rows:
            for repository_id, _ in holders.get(row.id, []):
                self._journal.record(Change.LINK, row.digest, None, repository_id=repository_id)
            self._journal.record(Change.KEY, row.digest, None)
        self._remove(ids)
        return [
            Collected(
                Digest.parse(row.digest),
                row.size,
                row.store,
                row.key,
                tuple(name for _, name in holders.get(row.id, [])),
            )
            for row in rows
        ]

    def _remove(self, ids: list[int]) -> None:
        if ids:
            for column in (_lease.c.blob_id, _link.c.blob_id, _blob.c.id):
                self._connection.execute(delete(column.table).where(column.in_(ids)))
