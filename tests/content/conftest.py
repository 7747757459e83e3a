"""The use cases on a real catalog, over files and over a driver that behaves like S3, with a clock that tests set."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from registry.audit import Audit, Origin, no_lines
from registry.catalog.blobs import Blob
from registry.catalog.catalog import Catalog
from registry.content.blobs import Blobs
from registry.content.manifests import Manifests
from registry.content.reception import ChunkRange, Reception
from registry.content.uploads import UploadLimits, Uploads
from registry.oci.names import RepositoryName
from storage.blobs import BlobStore
from storage.digest import Digest
from storage.filesystem import FilesystemDriver
from storage.layout import Layout
from storage.memory import MemoryDriver
from tests.catalog.conftest import Clock, address, catalog, clock, database, fast_directory, migrated, place

__all__ = ["Clock", "address", "catalog", "clock", "database", "fast_directory", "migrated", "place"]

NAME = RepositoryName.parse("team/app")
ANN = Origin("ann", "user")
SECOND = timedelta(seconds=1) // timedelta(microseconds=1)


@dataclass
class Room:
    """The use cases, and what they run on."""

    catalog: Catalog
    store: BlobStore
    uploads: Uploads
    blobs: Blobs
    manifests: Manifests
    clock: Clock

    def reception(self, session_id: str, chunk: ChunkRange | None = None, subject: str = "ann") -> Reception:
        """Take a request's bytes."""
        return Reception(self.uploads, NAME, session_id, subject=subject, chunk=chunk or ChunkRange())

    def push(self, content: bytes, name: RepositoryName = NAME) -> Blob:
        """Upload a blob."""
        session_id = self.uploads.start(name, subject="ann")
        reception = Reception(self.uploads, name, session_id, subject="ann", chunk=ChunkRange())
        return reception.finish([content], Digest.of(content))

    def left(self) -> list[str]:
        """Name what the store holds for uploads."""
        return list(self.store.uploads())

    def sessions(self) -> int:
        """Count the sessions that the catalog knows."""
        with self.catalog.read() as tx:
            return tx.uploads.count("ann")


GRACE = timedelta(hours=24)


@pytest.fixture(params=["files", "memory"])
def room(request: pytest.FixtureRequest, catalog: Catalog, clock: Clock, place: Path) -> Iterator[Room]:
    """An empty registry: sessions live an hour, a subject has three, a blob has a million bytes."""
    if request.param == "files":
        Layout.open(place / "data", create=True)
        store = BlobStore(FilesystemDriver(place / "data", reserve=0))
    else:
        store = BlobStore(MemoryDriver(part_size=1000))
    stores = {"default": store}
    limits = UploadLimits(timedelta(hours=1), per_subject=3, blob_bytes=1_000_000)
    audit = Audit(catalog, no_lines)
    yield Room(
        catalog,
        store,
        Uploads(catalog, stores, store="default", limits=limits),
        Blobs(catalog, stores, audit, GRACE),
        Manifests(audit, allow_missing=False),
        clock,
    )
