"""Pushing, resolving and deleting manifests (distribution-spec, "Pushing Manifests", "Deleting Manifests")."""

from dataclasses import dataclass

from registry.audit import Audit, Change, Origin
from registry.catalog.catalog import Transaction
from registry.catalog.errors import NotFound
from registry.catalog.manifests import ManifestEntry
from registry.catalog.repositories import Repository
from registry.oci import mediatypes
from registry.oci.descriptors import ManifestReference, Role
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.manifests import InvalidManifest, Manifest, parse_manifest
from registry.oci.names import Reference, RepositoryName, Tag
from storage.digest import Digest

LAYERS_MANY_CLIENTS_TAKE = 127

DESCRIPTION = "org.opencontainers.image.description"
DESCRIPTION_LIMIT = 1000
"""How many characters of an image's description its repository takes."""


@dataclass(frozen=True, slots=True)
class PushedManifest:
    """What was pushed: its digest, the tags that point to it now, the subject that was processed, and warnings."""

    digest: Digest
    tags: tuple[Tag, ...]
    subject: Digest | None
    warnings: tuple[str, ...]


class Manifests:
    """The use cases about manifests."""

    def __init__(self, audit: Audit, *, allow_missing: bool) -> None:
        self._audit = audit
        self._allow_missing = allow_missing

    def push(
        self,
        name: RepositoryName,
        reference: Reference,
        content: bytes,
        *,
        content_type: str | None,
        tags: tuple[Tag, ...] = (),
        origin: Origin,
    ) -> PushedManifest:
        """Check a manifest and publish it, its references and its tags in one transaction (end-7a, end-7b).

        Args:    content: the exact bytes, which are kept; content_type: without parameters.
        Raises:  DIGEST_INVALID, MANIFEST_INVALID, or MANIFEST_BLOB_UNKNOWN with one detail for each missing child.
        """
        digest = _digest(reference, content)
        try:
            manifest = parse_manifest(content, content_type)
        except InvalidManifest as error:
            raise RegistryError(ErrorCode.MANIFEST_INVALID, str(error)) from None
        pointing = (reference, *tags) if isinstance(reference, Tag) else tags
        with self._audit.begin(origin) as change:
            tx = change.tx
            repository = tx.repositories.ensure(name)
            blobs = self._check_children(tx, repository.id, manifest)
            entry = tx.manifests.put(repository.id, digest, manifest)
            tx.blobs.mark_referenced(sorted(blobs))
            change.record("push", repository=name.value, reference=str(reference), new=str(digest))
            for tag in pointing:
                _point(change, repository, tag, entry)
            _describe(tx, repository, manifest)
        subject = manifest.subject.digest if manifest.subject else None
        return PushedManifest(digest, pointing, subject, tuple(_warnings(manifest)))

    def delete(self, name: RepositoryName, reference: Reference, *, origin: Origin) -> None:
        """Remove a tag alone, or a manifest with every tag that points to it (end-9). Raises MANIFEST_UNKNOWN."""
        try:
            with self._audit.begin(origin) as change:
                repository = change.tx.repositories.get(name)
                if isinstance(reference, Tag):
                    old = change.tx.tags.remove(repository.id, reference, actor=origin.actor)
                    change.record("tag.delete", repository=name.value, reference=reference.value, old=old)
                else:
                    _delete_manifest(change, repository, reference)
        except NotFound:
            raise manifest_unknown(name, reference) from None

    def _check_children(self, tx: Transaction, repository_id: int, manifest: Manifest) -> set[str]:
        """Lock what the manifest names, and tell which of it are blobs. Raises MANIFEST_BLOB_UNKNOWN."""
        arrows = [arrow for arrow in manifest.references if arrow.role is not Role.SUBJECT]
        children = {str(arrow.descriptor.digest) for arrow in arrows if arrow.role is Role.CHILD}
        known = tx.manifests.known(repository_id, children) if children else set()
        sizes = tx.blobs.linked_sizes(repository_id, {str(arrow.descriptor.digest) for arrow in arrows} - known)
        missing = [arrow for arrow in arrows if _is_missing(arrow, known, sizes)]
        if missing and not self._allow_missing:
            details = tuple({"digest": str(arrow.descriptor.digest), "place": arrow.place} for arrow in missing)
            raise RegistryError(ErrorCode.MANIFEST_BLOB_UNKNOWN, details=details)
        for arrow in arrows:
            size = sizes.get(str(arrow.descriptor.digest))
            if size is not None and size != arrow.descriptor.size:
                raise RegistryError(
                    ErrorCode.MANIFEST_INVALID,
                    f"{arrow.place}.size is {arrow.descriptor.size}, but the blob has {size} bytes",
                )
        return sizes.keys() - known


def _point(change: Change, repository: Repository, tag: Tag, entry: ManifestEntry) -> None:
    old = change.tx.tags.point(repository.id, tag, entry, actor=change.origin.actor)
    if old != str(entry.digest):
        name = repository.name.value
        change.record("tag.move", repository=name, reference=tag.value, old=old, new=str(entry.digest))


def _delete_manifest(change: Change, repository: Repository, digest: Digest) -> None:
    tx, name = change.tx, repository.name.value
    entry = tx.manifests.locked(repository.id, digest, exclusive=True)
    named = tx.manifests.named_by(entry)
    for tag in tx.tags.remove_all(repository.id, entry, actor=change.origin.actor):
        change.record("tag.delete", repository=name, reference=tag, old=str(digest))
    tx.manifests.delete(repository.id, entry)
    tx.blobs.mark_unreferenced(named)
    change.record("manifest.delete", repository=name, reference=str(digest), old=str(digest))


def _describe(tx: Transaction, repository: Repository, manifest: Manifest) -> None:
    """Take an image's description for its repository's, unless somebody has written one by hand (OCI annotations)."""
    text = _one_line(manifest.annotations.get(DESCRIPTION, ""))
    if text and text != repository.description and repository.description_by != "operator":
        tx.repositories.describe(repository.id, text, "annotation")


def _one_line(text: str) -> str:
    """Leave out what could steer the terminal that a search prints a description on."""
    start = text.strip()[:DESCRIPTION_LIMIT]
    return " ".join("".join(character if character.isprintable() else " " for character in start).split())


def manifest_unknown(name: RepositoryName, reference: Reference) -> RegistryError:
    """Say which manifest was not found, and where."""
    kind = "tag" if isinstance(reference, Tag) else "manifest"
    return RegistryError(
        ErrorCode.MANIFEST_UNKNOWN,
        f"{name} holds no {kind} {reference}",
        details=({"name": str(name), "reference": str(reference)},),
    )


def _digest(reference: Reference, content: bytes) -> Digest:
    if isinstance(reference, Tag):
        return Digest.of(content)
    actual = Digest.of(content, reference.algorithm)
    if actual != reference:
        raise RegistryError(
            ErrorCode.DIGEST_INVALID,
            f"the content's digest is {actual}, not {reference}",
            details=({"expected": str(reference), "actual": str(actual)},),
        )
    return actual


def _is_missing(arrow: ManifestReference, known: set[str], sizes: dict[str, int]) -> bool:
    digest = str(arrow.descriptor.digest)
    media_type = arrow.descriptor.media_type
    if arrow.role is Role.CHILD:
        # BuildKit's cache indexes list layers and a config as children: those are blobs.
        return digest not in known and (media_type in mediatypes.MANIFEST_TYPES or digest not in sizes)
    return digest not in sizes and not mediatypes.is_foreign(media_type)


def _warnings(manifest: Manifest) -> list[str]:
    if manifest.layers > LAYERS_MANY_CLIENTS_TAKE:
        return [f"this image has {manifest.layers} layers; docker runs at most {LAYERS_MANY_CLIENTS_TAKE}"]
    return []
