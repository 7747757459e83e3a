"""Tags: names that move, and the history of where they pointed, which only grows."""

from sqlalchemy import Connection, bindparam, delete, insert, select

from registry.catalog import tables
from registry.catalog.errors import NotFound
from registry.catalog.journal import Change, Journal
from registry.catalog.locks import alone, held
from registry.catalog.manifests import ManifestEntry
from registry.catalog.upserts import Upsert
from registry.oci.names import Tag

_row, _history = tables.tag, tables.tag_history

_pointed = (
    select(tables.manifest.c.digest)
    .join(_row, _row.c.manifest_id == tables.manifest.c.id)
    .where(_row.c.repository_id == bindparam("repository_id"), _row.c.name == bindparam("tag"))
)
_page = (
    select(_row.c.name)
    .where(_row.c.repository_id == bindparam("repository_id"), _row.c.name > bindparam("after"))
    .order_by(_row.c.name)
    .limit(bindparam("limit"))
)
_point = Upsert(_row, ("repository_id", "name"), changed=("manifest_id", "updated_at"))
_held = (
    select(_row.c.name)
    .where(_row.c.repository_id == bindparam("repository_id"), _row.c.name == bindparam("tag"))
    .with_for_update()
)
_all_held = (
    select(_row.c.name)
    .where(_row.c.repository_id == bindparam("repository"), _row.c.manifest_id == bindparam("manifest"))
    .order_by(_row.c.name)
    .with_for_update()
)
_remove_all = (
    delete(_row)
    .where(_row.c.repository_id == bindparam("repository"), _row.c.manifest_id == bindparam("manifest"))
    .returning(_row.c.name)
)


class Tags:
    """The tags, within one transaction."""

    def __init__(self, connection: Connection, now: int, journal: Journal) -> None:
        self._connection = connection
        self._now = now
        self._journal = journal

    def point(self, repository_id: int, tag: Tag, entry: ManifestEntry, *, actor: str) -> str | None:
        """Make a tag, or move it; pushing what it points to already leaves no line in its history.

        Returns: the digest that it pointed to before; None: it is new.
        """
        old = self._held(repository_id, tag)
        row = {
            "repository_id": repository_id,
            "name": tag.value,
            "manifest_id": entry.id,
            "updated_at": self._now,
        }
        self._connection.execute(_point.on(self._connection), row)
        if old != str(entry.digest):
            self._remember(repository_id, tag.value, old, str(entry.digest), actor)
        return old

    def remove(self, repository_id: int, tag: Tag, *, actor: str) -> str:
        """Remove one tag and nothing else; gives the digest that it pointed to. Raises NotFound."""
        old = self._held(repository_id, tag)
        if old is None:
            raise NotFound(str(tag))
        self._connection.execute(delete(_row).where(_row.c.repository_id == repository_id, _row.c.name == tag.value))
        self._remember(repository_id, tag.value, old, None, actor)
        return old

    def remove_all(self, repository_id: int, entry: ManifestEntry, *, actor: str) -> list[str]:
        """Remove every tag that points to a manifest; gives their names."""
        parameters = {"repository": repository_id, "manifest": entry.id}
        held(self._connection, _all_held, parameters)
        names = sorted(self._connection.execute(_remove_all, parameters).scalars())
        for name in names:
            self._remember(repository_id, name, str(entry.digest), None, actor)
        return names

    def page(self, repository_id: int, after: str, limit: int) -> list[str]:
        """List up to `limit` tags after `after`, in ASCII order."""
        parameters = {"repository_id": repository_id, "after": after, "limit": limit}
        return list(self._connection.execute(_page, parameters).scalars())

    def _held(self, repository_id: int, tag: Tag) -> str | None:
        """Keep a tag, or its name, for this transaction alone, and tell what it points to."""
        parameters = {"repository_id": repository_id, "tag": tag.value}
        if not held(self._connection, _held, parameters):
            alone(self._connection, "tag", str(repository_id), tag.value)
            held(self._connection, _held, parameters)
        return self._connection.execute(_pointed, parameters).scalar_one_or_none()

    def _remember(self, repository_id: int, tag: str, old: str | None, new: str | None, actor: str) -> None:
        row = {
            "repository_id": repository_id,
            "tag": tag,
            "old_digest": old,
            "new_digest": new,
            "at": self._now,
            "actor": actor,
        }
        self._connection.execute(insert(_history), row)
        self._journal.record(Change.TAG, tag, new, repository_id=repository_id)
