"""Blobs: bytes that are stored once, and the links through which alone a repository sees them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, Executable, bindparam, delete, exists, select, update

from registry.catalog import tables
from registry.catalog.errors import NotFound
from registry.catalog.journal import Change, Journal
from registry.catalog.locks import alone, held, locks_rows
from registry.catalog.upserts import Upsert
from storage.digest import Digest

MANY = 500
"""Digests in one query."""

_blob, _link, _lease, _reference = tables.blob, tables.blob_link, tables.lease, tables.manifest_reference

_columns = (_blob.c.id, _blob.c.digest, _blob.c.size, _blob.c.store, _blob.c.key, _blob.c.unreferenced_at)
_linked = (
    select(*_columns)
    .join(_link, _link.c.blob_id == _blob.c.id)
    .where(
        _blob.c.digest == bindparam("digest"),
        _link.c.repository_id == bindparam("repository_id"),
        _blob.c.state == "live",
    )
)
_linked_among = (
    select(_blob.c.digest, _blob.c.size)
    .join(_link, _link.c.blob_id == _blob.c.id)
    .where(
        _blob.c.state == "live",
        _link.c.repository_id == bindparam("repository_id"),
        _blob.c.digest.in_(bindparam("digests", expanding=True)),
    )
    .order_by(_blob.c.digest)
)
_kept_among = _linked_among.with_for_update(read=True)
_claimed_among = _linked_among.with_for_update(key_share=True)
_among = select(_blob.c.digest).where(_blob.c.digest.in_(bindparam("digests", expanding=True)))
_held_among = _among.order_by(_blob.c.digest).with_for_update(key_share=True)
_unreferenced_among = _among.where(_blob.c.unreferenced_at.is_not(None))
_linked_by_name = (
    select(*_columns)
    .join(_link, _link.c.blob_id == _blob.c.id)
    .join(tables.repository, tables.repository.c.id == _link.c.repository_id)
    .where(
        _blob.c.digest == bindparam("digest"),
        tables.repository.c.name == bindparam("name"),
        _blob.c.state == "live",
    )
)
_linked_anywhere = select(*_columns).where(
    _blob.c.digest == bindparam("digest"), _blob.c.state == "live", exists().where(_link.c.blob_id == _blob.c.id)
)
_by_digest = select(*_columns).where(_blob.c.digest == bindparam("digest"))
_key_known = select(exists().where(_blob.c.store == bindparam("store"), _blob.c.key == bindparam("key")))
_kept = _linked.with_for_update(read=True)
_claimed = _linked.with_for_update(of=_link)
_put = Upsert(_blob, ("digest",), changed=("size", "store", "key", "state", "stored_at", "verified_at"))
_add_link = Upsert(_link)
_discard = Upsert(tables.discarded_key)
_renew_lease = Upsert(_lease, ("repository_id", "blob_id"), changed=("renewed_at",))
_lease_age = select(_lease.c.renewed_at).where(
    _lease.c.repository_id == bindparam("repository_id"), _lease.c.blob_id == bindparam("blob_id")
)


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob and where its bytes lie. `size` is in bytes; `unreferenced`: no manifest anywhere names it."""

    id: int
    digest: Digest
    size: int
    store: str
    key: str
    unreferenced: bool


class Blobs:
    """The blobs and their links, within one transaction."""

    def __init__(self, connection: Connection, now: int, journal: Journal) -> None:
        self._connection = connection
        self._now = now
        self._journal = journal

    def linked(self, repository_id: int, digest: Digest) -> Blob:
        """Find a blob through a repository's link. Raises NotFound."""
        return self._one(_linked, {"repository_id": repository_id, "digest": str(digest)})

    def locked(self, repository_id: int, digest: Digest, *, exclusive: bool = False) -> Blob:
        """The same, and keep link and blob from going (or, exclusive, the link from being used) until commit."""
        query = _claimed if exclusive else _kept
        return self._one(query, {"repository_id": repository_id, "digest": str(digest)})

    def linked_sizes(self, repository_id: int, digests: Iterable[str]) -> dict[str, int]:
        """Give the sizes of those of these blobs that a repository holds, and keep all of them until commit.

        Locked in digest order, so that two pushes never wait for each other in a ring. Those that no manifest names
        yet are locked for `mark_referenced` to change: two pushes that both only keep one would both wait to do that.
        """
        found: dict[str, int] = {}
        wanted = sorted(digests)
        fresh = self._unreferenced(wanted) if locks_rows(self._connection) else frozenset()
        for claimed, run in groupby(wanted, fresh.__contains__):
            query = _claimed_among if claimed else _kept_among
            for some in _batches(list(run)):
                rows = self._connection.execute(query, {"repository_id": repository_id, "digests": some})
                found.update((row.digest, row.size) for row in rows)
        return found

    def hold(self, digests: Iterable[str]) -> None:
        """Keep others from beginning or ending to refer to these blobs until commit."""
        for some in _batches(sorted(digests)):
            held(self._connection, _held_among, {"digests": some})

    def linked_by_name(self, repository: str, digest: Digest) -> Blob:
        """Find a blob through the link of a repository that is known by name. Raises NotFound."""
        return self._one(_linked_by_name, {"name": repository, "digest": str(digest)})

    def anywhere(self, digest: Digest) -> Blob:
        """Find a blob that some repository holds, whichever (a mount without `from`). Raises NotFound."""
        return self._one(_linked_anywhere.with_for_update(read=True), {"digest": str(digest)})

    def put(self, digest: Digest, size: int, store: str, key: str) -> Blob:
        """Record just verified bytes under their digest.

        A digest that was there moves to the new key, which heals a damaged one; the old key is given to `discard`
        by the caller, who gets the former row from `by_digest`.
        """
        now, text = self._now, str(digest)
        row = {"digest": text, "size": size, "store": store, "key": key, "state": "live"}
        times = {"stored_at": now, "verified_at": now, "unreferenced_at": now}
        self._connection.execute(_put.on(self._connection), {**row, **times})
        self._journal.record(Change.KEY, text, f"{store}:{key}")
        return self._one(_by_digest, {"digest": text})

    def by_digest(self, digest: Digest) -> Blob:
        """Find a blob without asking who holds it: for the upload path only. Raises NotFound.

        Nobody else puts it until commit, also where it is not there yet.
        """
        alone(self._connection, "blob", str(digest))
        return self._one(_by_digest.with_for_update(), {"digest": str(digest)})

    def discard(self, store: str, key: str, not_before: int) -> None:
        """Note a key that nothing maps to any more; its bytes go once `not_before` (µs since 1970) has passed."""
        row = {"store": store, "key": key, "not_before": not_before}
        self._connection.execute(_discard.on(self._connection), row)

    def discarded(self, limit: int) -> list[tuple[str, str]]:
        """List (store, key) pairs whose time has come."""
        table = tables.discarded_key
        query = select(table.c.store, table.c.key).where(table.c.not_before <= self._now).limit(limit)
        return [(row.store, row.key) for row in self._connection.execute(query)]

    def forget_discarded(self, store: str, key: str) -> None:
        """Drop the note of a discarded key once its bytes are gone."""
        table = tables.discarded_key
        self._connection.execute(delete(table).where(table.c.store == store, table.c.key == key))

    def key_known(self, store: str, key: str) -> bool:
        """Tell whether a blob lives at this key."""
        return bool(self._connection.execute(_key_known, {"store": store, "key": key}).scalar_one())

    def link(self, repository_id: int, blob: Blob) -> None:
        """Let a repository see a blob, and lease it there so that a collector waits for the manifest."""
        row = {"repository_id": repository_id, "blob_id": blob.id, "linked_at": self._now}
        added = self._connection.execute(_add_link.on(self._connection), row)
        if added.rowcount:
            self._journal.record(Change.LINK, str(blob.digest), str(blob.size), repository_id=repository_id)
        self.renew_lease(repository_id, blob)

    def renew_lease(self, repository_id: int, blob: Blob) -> None:
        """Start a blob's grace in a repository anew."""
        row = {"repository_id": repository_id, "blob_id": blob.id, "renewed_at": self._now}
        self._connection.execute(_renew_lease.on(self._connection), row)

    def leased_at(self, repository_id: int, blob: Blob) -> int | None:
        """Tell when the lease was last renewed (µs since 1970); None: there is none."""
        row = {"repository_id": repository_id, "blob_id": blob.id}
        return self._connection.execute(_lease_age, row).scalar_one_or_none()

    def unlink(self, repository_id: int, blob: Blob) -> None:
        """Take a blob out of a repository; the bytes stay for whoever else holds them."""
        for table in (_link, _lease):
            where = (table.c.repository_id == repository_id, table.c.blob_id == blob.id)
            self._connection.execute(delete(table).where(*where))
        self._journal.record(Change.LINK, str(blob.digest), None, repository_id=repository_id)

    def mark_referenced(self, digests: list[str]) -> None:
        """Note that manifests name these blobs."""
        rows = [{"d": digest} for digest in sorted(digests)]
        if rows:
            statement = update(_blob).where(_blob.c.digest == bindparam("d"), _blob.c.unreferenced_at.is_not(None))
            self._connection.execute(statement.values(unreferenced_at=None), rows)

    def mark_unreferenced(self, digests: list[str]) -> None:
        """Start the grace of those of these blobs that no manifest names any more."""
        rows = [{"d": digest} for digest in sorted(digests)]
        if rows:
            named = exists().where(_reference.c.digest == _blob.c.digest, _reference.c.role != "subject")
            statement = update(_blob).where(_blob.c.digest == bindparam("d"), ~named)
            self._connection.execute(statement.values(unreferenced_at=self._now), rows)

    def _unreferenced(self, digests: list[str]) -> frozenset[str]:
        found: set[str] = set()
        for some in _batches(digests):
            found.update(self._connection.execute(_unreferenced_among, {"digests": some}).scalars())
        return frozenset(found)

    def _one(self, query: Executable, parameters: dict[str, object]) -> Blob:
        row = self._connection.execute(query, parameters).one_or_none()
        if row is None:
            raise NotFound(str(parameters["digest"]))
        return Blob(row.id, Digest.parse(row.digest), row.size, row.store, row.key, row.unreferenced_at is not None)


def _batches(digests: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(digests), MANY):
        yield digests[start : start + MANY]
