"""Where blobs lie: which stores the catalog speaks of, and the move of one blob from one store to another.

A store has three kinds of rows: blobs whose bytes it holds, open uploads into it, and keys that were replaced and wait
to be deleted. It can be done without once it has none of them.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Table, bindparam, func, literal, select, tuple_, update

from registry.catalog import tables
from registry.catalog.blobs import Blob
from registry.catalog.journal import Change, Journal
from storage.digest import Digest

_blob, _link, _upload, _discarded = tables.blob, tables.blob_link, tables.upload_session, tables.discarded_key
_TABLES = (_blob, _upload, _discarded)

_page = (
    select(_blob.c.id, _blob.c.digest, _blob.c.size, _blob.c.store, _blob.c.key, _blob.c.unreferenced_at)
    .where(_blob.c.store == bindparam("store"), _blob.c.key > bindparam("after"), _blob.c.state == "live")
    .order_by(_blob.c.key)
    .limit(bindparam("limit"))
)
_move = (
    update(_blob)
    .where(
        _blob.c.id == bindparam("blob"),
        _blob.c.store == bindparam("old_store"),
        _blob.c.key == bindparam("old_key"),
        _blob.c.state == "live",
    )
    .values(store=bindparam("new_store"), key=bindparam("new_key"), verified_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Holding:
    """What a store has: blobs and their bytes, open uploads, and replaced keys that wait to be deleted."""

    blobs: int
    bytes: int
    uploads: int
    replaced: int

    @property
    def nothing(self) -> bool:
        """Whether the store can be done without."""
        return not (self.blobs or self.uploads or self.replaced)


class Placement:
    """The places of blobs, within one transaction."""

    def __init__(self, connection: Connection, now: int, journal: Journal) -> None:
        self._connection = connection
        self._now = now
        self._journal = journal

    def stores(self) -> set[str]:
        """Name every store that a row speaks of. Costs one step in an index for each store, and the open uploads."""
        found = set(self._connection.execute(select(_upload.c.store).distinct()).scalars())
        for table in (_blob, _discarded):
            last: str | None = ""
            while last is not None:
                query = select(func.min(table.c.store)).where(table.c.store > last)
                last = self._connection.execute(query).scalar_one()
                found.update((last,) if last is not None else ())
        return found

    def holding(self, store: str, *, but_for: str = "") -> Holding:
        """Count what a store has, but for the uploads of one subject."""
        own = _upload.c.subject == but_for
        columns = (
            select(func.count()).select_from(_blob).where(_blob.c.store == store).scalar_subquery(),
            select(func.coalesce(func.sum(_blob.c.size), 0)).where(_blob.c.store == store).scalar_subquery(),
            select(func.count()).select_from(_upload).where(_upload.c.store == store, ~own).scalar_subquery(),
            select(func.count()).select_from(_discarded).where(_discarded.c.store == store).scalar_subquery(),
        )
        blobs, size, uploads, replaced = self._connection.execute(select(*columns)).one()
        return Holding(int(blobs), int(size), int(uploads), int(replaced))

    def page(self, store: str, after: str, limit: int) -> list[Blob]:
        """List blobs of a store, by key, from behind a key on."""
        rows = self._connection.execute(_page, {"store": store, "after": after, "limit": limit})
        return [
            Blob(row.id, Digest.parse(row.digest), row.size, row.store, row.key, row.unreferenced_at is not None)
            for row in rows
        ]

    def home(self, blob: Blob) -> int | None:
        """Give the id of a repository that holds a blob; of any, where none does; None where there is none at all."""
        holders = select(func.min(_link.c.repository_id)).where(_link.c.blob_id == blob.id)
        found: int | None = self._connection.execute(holders).scalar_one()
        if found is None:
            found = self._connection.execute(select(func.min(tables.repository.c.id))).scalar_one()
        return found

    def is_at(self, blob: Blob) -> bool:
        """Tell whether a blob still lies where it was seen."""
        query = select(literal(1)).where(_blob.c.id == blob.id, _blob.c.store == blob.store, _blob.c.key == blob.key)
        return self._connection.execute(query).first() is not None

    def move(self, blob: Blob, store: str, key: str) -> bool:
        """Say that a blob's bytes, just verified, lie elsewhere; False where it has gone, or was pushed anew.

        The old key is given to `discard` by the caller, as after a push.
        """
        names = {"blob": blob.id, "old_store": blob.store, "old_key": blob.key}
        moved = self._connection.execute(_move, {**names, "new_store": store, "new_key": key, "at": self._now})
        if moved.rowcount != 1:
            return False
        self._journal.record(Change.KEY, str(blob.digest), f"{store}:{key}")
        return True

    def rename(self, old: str, new: str, limit: int) -> int:
        """Give a store another name in so many rows of each kind at most; tells in how many."""
        return sum(self._renamed(table, old, new, limit) for table in _TABLES)

    def _renamed(self, table: Table, old: str, new: str, limit: int) -> int:
        keys = list(table.primary_key.columns)
        some = select(*keys).where(table.c.store == old).limit(limit).subquery()
        named = select(*some.columns)
        query = update(table).where(table.c.store == old, tuple_(*keys).in_(named)).values(store=new)
        return self._connection.execute(query).rowcount
