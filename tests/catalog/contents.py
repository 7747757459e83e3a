"""What the catalog's tests put into it."""

from registry.catalog.blobs import Blob
from registry.catalog.catalog import Transaction
from registry.catalog.manifests import ManifestEntry
from registry.oci.manifests import parse_manifest
from registry.oci.names import RepositoryName
from storage.digest import Digest
from tests.spec.contents import EMPTY, image, written

NAME = RepositoryName.parse("team/app")
OTHER = RepositoryName.parse("team/other")


def add_blob(tx: Transaction, content: bytes, *, key: str = "", name: RepositoryName = NAME) -> Blob:
    """Record a blob as an upload would."""
    digest = Digest.of(content)
    blob = tx.blobs.put(digest, len(content), "default", key or f"blobs/{digest.encoded}")
    tx.blobs.link(tx.repositories.ensure(name).id, blob)
    return blob


def add_manifest(tx: Transaction, *layers: bytes, name: RepositoryName = NAME, mark: str = "") -> ManifestEntry:
    """Record an image as a push would; `mark` makes it another one."""
    manifest = parse_manifest(written(image(EMPTY, *layers, annotations={"mark": mark})), None)
    repository = tx.repositories.ensure(name)
    entry = tx.manifests.put(repository.id, Digest.of(manifest.content), manifest)
    tx.blobs.mark_referenced([str(arrow.descriptor.digest) for arrow in manifest.references])
    return entry


def add_repository(tx: Transaction, name: str, visibility: str = "private", *, pulls: int = 0) -> int:
    """Make a repository that holds a manifest; gives its id."""
    repository = tx.repositories.create(RepositoryName.parse(name), visibility)
    add_manifest(tx, name=repository.name)
    tx.repositories.count_pulls([(name, pulls, 1)])
    return repository.id
