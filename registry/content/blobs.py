"""Reading, mounting and deleting blobs, always through a repository's own link."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from auth.policy import Reach
from registry.audit import Audit, Change, Origin
from registry.catalog.blobs import Blob
from registry.catalog.catalog import Catalog
from registry.catalog.errors import NotFound
from registry.content.uploads import MICROSECOND
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName
from storage.blobs import BlobStore
from storage.digest import Digest


class Blobs:
    """The use cases about whole blobs. `grace`: how long the collector leaves a blob alone that nobody names."""

    def __init__(self, catalog: Catalog, stores: Mapping[str, BlobStore], audit: Audit, grace: timedelta) -> None:
        self._catalog = catalog
        self._lease_age_worth_renewing = grace // 2 // MICROSECOND
        self._audit = audit
        self._stores = stores

    def local_path(self, blob: Blob) -> Path | None:
        """Give the file that holds a blob's bytes, where its store keeps files."""
        return self._stores[blob.store].local_path(blob.key)

    def presigned(self, blob: Blob, lifetime: timedelta) -> str | None:
        """Give an address at which a client can read the blob for so long, where its store can give one."""
        return self._stores[blob.store].presigned(blob.key, lifetime)

    def read(self, blob: Blob, start: int, stop: int) -> Iterator[bytes]:
        """Read a blob's bytes from `start` up to before `stop`, in blocks."""
        return self._stores[blob.store].read(blob.key, start, stop)

    def keep(self, name: RepositoryName, blob: Blob) -> None:
        """Lease a blob that no manifest names yet to somebody who was told that it is there (HEAD).

        Writes only when the lease is older than half the collector's grace, so that a HEAD is no durable write.
        Raises BLOB_UNKNOWN where it has gone meanwhile.
        """
        try:
            with self._catalog.begin() as tx:
                repository = tx.repositories.get(name)
                renewed = tx.blobs.leased_at(repository.id, blob)
                if renewed is None or tx.now - renewed > self._lease_age_worth_renewing:
                    tx.blobs.locked(repository.id, blob.digest)
                    tx.blobs.renew_lease(repository.id, blob)
        except NotFound:
            raise blob_unknown(name, blob.digest) from None

    def mount(self, name: RepositoryName, digest: Digest, source: RepositoryName, *, origin: Origin) -> Blob | None:
        """Let `name` see a blob that `source` holds (end-11), from which the caller may pull.

        Returns: the blob, or None where it cannot be mounted and the client should upload it.
        """
        try:
            with self._audit.begin(origin) as change:
                holder = change.tx.repositories.get(source)
                return _mounted(change, name, digest, holder.id, f"from {source}")
        except NotFound:
            return None

    def mount_from_any(self, name: RepositoryName, digest: Digest, *, reach: Reach, origin: Origin) -> Blob | None:
        """Let `name` see a blob that some repository within reach holds (end-11 without `from`).

        Returns: the blob, or None where the client should upload it.
        """
        try:
            with self._audit.begin(origin) as change:
                holder = change.tx.repositories.visible_holder(digest, reach)
                return _mounted(change, name, digest, holder, "from anywhere")
        except NotFound:
            return None

    def delete(self, name: RepositoryName, digest: Digest, *, origin: Origin) -> None:
        """Take a blob out of a repository (end-10). Raises BLOB_UNKNOWN; UNSUPPORTED while a manifest names it."""
        try:
            with self._audit.begin(origin) as change:
                tx = change.tx
                repository = tx.repositories.get(name)
                blob = tx.blobs.locked(repository.id, digest, exclusive=True)
                manifest = tx.manifests.naming(repository.id, digest)
                if manifest is not None:
                    raise RegistryError(
                        ErrorCode.UNSUPPORTED,
                        f"the manifest {manifest} of {name} needs this blob; delete the manifest first",
                        details=({"digest": str(digest), "manifest": manifest},),
                    )
                tx.blobs.unlink(repository.id, blob)
                change.record("blob.delete", repository=name.value, old=str(digest))
        except NotFound:
            raise blob_unknown(name, digest) from None


def _mounted(change: Change, name: RepositoryName, digest: Digest, holder: int, reason: str) -> Blob:
    blob = change.tx.blobs.locked(holder, digest)
    change.tx.blobs.link(change.tx.repositories.ensure(name).id, blob)
    change.record("mount", repository=name.value, new=str(digest), reason=reason)
    return blob


def blob_unknown(name: RepositoryName, digest: Digest) -> RegistryError:
    """Say which blob was not found, and where."""
    return RegistryError(
        ErrorCode.BLOB_UNKNOWN,
        f"{name} holds no blob {digest}",
        details=({"name": str(name), "digest": str(digest)},),
    )
