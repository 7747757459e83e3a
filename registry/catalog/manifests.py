"""Manifests: exact bytes, what they name, and who refers to them. Every repository has rows of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, bindparam, delete, exists, insert, select

from registry.catalog import tables
from registry.catalog.errors import NotFound
from registry.catalog.journal import Change, Journal
from registry.catalog.upserts import Upsert
from registry.oci.descriptors import Role
from registry.oci.manifests import Manifest
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest

_row, _reference, _tag, _repository = tables.manifest, tables.manifest_reference, tables.tag, tables.repository

_entry = (_row.c.id, _row.c.digest, _row.c.media_type, _row.c.size)
_of_repository = select(*_entry).join(_repository, _repository.c.id == _row.c.repository_id)
_by_digest = _of_repository.where(_repository.c.name == bindparam("name"), _row.c.digest == bindparam("digest"))
_by_tag = (
    select(*_entry)
    .join(_tag, _tag.c.manifest_id == _row.c.id)
    .join(_repository, _repository.c.id == _tag.c.repository_id)
    .where(_repository.c.name == bindparam("name"), _tag.c.name == bindparam("tag"))
)
_content = select(_row.c.content).where(_row.c.id == bindparam("id"))
_lockable = select(*_entry).where(
    _row.c.repository_id == bindparam("repository_id"), _row.c.digest == bindparam("digest")
)
_kept, _claimed = _lockable.with_for_update(read=True), _lockable.with_for_update()
_referrers = (
    select(_row.c.digest, _row.c.media_type, _row.c.size, _row.c.artifact_type, _row.c.annotations)
    .join(_reference, _reference.c.manifest_id == _row.c.id)
    .join(_repository, _repository.c.id == _reference.c.repository_id)
    .where(
        _repository.c.name == bindparam("name"),
        _reference.c.digest == bindparam("subject"),
        _reference.c.role == Role.SUBJECT.value,
        _row.c.digest > bindparam("after"),
    )
    .order_by(_row.c.digest)
    .limit(bindparam("limit"))
)
_typed_referrers = _referrers.where(_row.c.artifact_type == bindparam("artifact_type"))
_naming = (
    select(_row.c.digest)
    .join(_reference, _reference.c.manifest_id == _row.c.id)
    .where(
        _reference.c.repository_id == bindparam("repository_id"),
        _reference.c.digest == bindparam("digest"),
        _reference.c.role != Role.SUBJECT.value,
    )
    .order_by(_row.c.digest)
    .limit(1)
)

_add = Upsert(_row, ("repository_id", "digest"), returning=(_row.c.id,))


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A manifest that a repository holds, without its bytes. `size` is in bytes."""

    id: int
    digest: Digest
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Referrer:
    """One line of a referrers list (distribution-spec, "Listing Referrers")."""

    digest: str
    media_type: str
    size: int
    artifact_type: str | None
    annotations: dict[str, str]


class Manifests:
    """The manifests, within one transaction."""

    def __init__(self, connection: Connection, now: int, journal: Journal) -> None:
        self._connection = connection
        self._now = now
        self._journal = journal

    def get(self, name: RepositoryName, reference: Tag | Digest) -> ManifestEntry:
        """Resolve a tag or digest in a repository, in one indexed query. Raises NotFound."""
        if isinstance(reference, Tag):
            found = self._connection.execute(_by_tag, {"name": name.value, "tag": reference.value}).one_or_none()
        else:
            found = self._connection.execute(_by_digest, {"name": name.value, "digest": str(reference)}).one_or_none()
        if found is None:
            raise NotFound(str(reference))
        return _entry_of(found)

    def find(self, repository_id: int, digest: Digest) -> ManifestEntry:
        """Find a manifest of a repository that is known by its id. Raises NotFound."""
        return self._one(_lockable, repository_id, digest)

    def content(self, manifest_id: int) -> bytes:
        """Give the exact bytes that were pushed. Raises NotFound."""
        found = self._connection.execute(_content, {"id": manifest_id}).scalar_one_or_none()
        if found is None:
            raise NotFound(str(manifest_id))
        return bytes(found)

    def locked(self, repository_id: int, digest: Digest, *, exclusive: bool = False) -> ManifestEntry:
        """Find a manifest and keep it from going (or, exclusive, from being used) until commit. Raises NotFound."""
        return self._one(_claimed if exclusive else _kept, repository_id, digest)

    def put(self, repository_id: int, digest: Digest, manifest: Manifest) -> ManifestEntry:
        """Record a manifest and what it names; one that is there already stays as it is."""
        try:
            return self.locked(repository_id, digest)
        except NotFound:
            self._insert(repository_id, digest, manifest)
            return self.locked(repository_id, digest)

    def _insert(self, repository_id: int, digest: Digest, manifest: Manifest) -> None:
        row = {
            "repository_id": repository_id,
            "digest": str(digest),
            "media_type": manifest.media_type,
            "artifact_type": manifest.artifact_type,
            "size": len(manifest.content),
            "annotations": orjson.dumps(manifest.annotations).decode() if manifest.annotations else None,
            "pushed_at": self._now,
            "content": manifest.content,
        }
        manifest_id = self._connection.execute(_add.on(self._connection), row).scalar_one_or_none()
        if manifest_id is None:
            return  # somebody else's push of the same was quicker
        arrows = [
            {
                "manifest_id": manifest_id,
                "position": position,
                "repository_id": repository_id,
                "role": arrow.role.value,
                "digest": str(arrow.descriptor.digest),
                "media_type": arrow.descriptor.media_type,
                "size": arrow.descriptor.size,
            }
            for position, arrow in enumerate(manifest.references)
        ]
        if arrows:
            self._connection.execute(insert(_reference), arrows)
        self._journal.record(Change.MANIFEST, str(digest), manifest.media_type, repository_id=repository_id)

    def named_by(self, entry: ManifestEntry) -> list[str]:
        """List the digests that a manifest holds on to: everything but its subject."""
        query = select(_reference.c.digest).where(
            _reference.c.manifest_id == entry.id, _reference.c.role != Role.SUBJECT.value
        )
        return list(self._connection.execute(query).scalars())

    def delete(self, repository_id: int, entry: ManifestEntry) -> None:
        """Remove a manifest whose tags are gone already."""
        self._connection.execute(delete(_reference).where(_reference.c.manifest_id == entry.id))
        self._connection.execute(delete(_row).where(_row.c.id == entry.id))
        self._journal.record(Change.MANIFEST, str(entry.digest), None, repository_id=repository_id)

    def naming(self, repository_id: int, digest: Digest) -> str | None:
        """Give the digest of some manifest of this repository that names this content; None where none does."""
        parameters = {"repository_id": repository_id, "digest": str(digest)}
        return self._connection.execute(_naming, parameters).scalar_one_or_none()

    def known(self, repository_id: int, digests: Iterable[str]) -> set[str]:
        """Tell which of these digests are manifests of this repository, and keep those until commit."""
        found: set[str] = set()
        wanted = sorted(set(digests))
        for start in range(0, len(wanted), 500):
            query = select(_row.c.digest).where(
                _row.c.repository_id == repository_id, _row.c.digest.in_(wanted[start : start + 500])
            )
            query = query.order_by(_row.c.digest)
            found.update(self._connection.execute(query.with_for_update(read=True)).scalars())
        return found

    def referrers(
        self, name: RepositoryName, subject: Digest, *, artifact_type: str | None, after: str, limit: int
    ) -> list[Referrer]:
        """List the manifests that refer to `subject`, by digest, after `after`."""
        parameters = {"name": name.value, "subject": str(subject), "after": after, "limit": limit}
        query = _referrers
        if artifact_type is not None:
            query, parameters["artifact_type"] = _typed_referrers, artifact_type
        return [
            Referrer(row.digest, row.media_type, row.size, row.artifact_type, orjson.loads(row.annotations or "{}"))
            for row in self._connection.execute(query, parameters)
        ]

    def _one(self, query: Select[*tuple[Any, ...]], repository_id: int, digest: Digest) -> ManifestEntry:
        found = self._connection.execute(query, {"repository_id": repository_id, "digest": str(digest)}).one_or_none()
        if found is None:
            raise NotFound(str(digest))
        return _entry_of(found)

    def any_in(self, repository_id: int) -> bool:
        """Tell whether a repository holds a manifest."""
        query = select(exists().where(_row.c.repository_id == repository_id))
        return bool(self._connection.execute(query).scalar_one())


def _entry_of(row: Row[*tuple[Any, ...]]) -> ManifestEntry:
    return ManifestEntry(row.id, Digest.parse(row.digest), row.media_type, row.size)
