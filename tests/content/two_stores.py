"""A registry with two stores, one of files and one that behaves like S3, whose blobs are moved in either direction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from registry.audit import Audit, Origin, no_lines
from registry.catalog.blobs import Blob
from registry.catalog.catalog import Catalog
from registry.content import moving as module
from registry.content.blobs import Blobs
from registry.content.moving import Manner, Moving, Result
from registry.content.reception import ChunkRange, Reception
from registry.content.uploads import REMOTE_KEY_LIFETIME, UploadLimits, Uploads
from storage.blobs import BlobStore
from storage.digest import Digest
from storage.driver import Driver
from storage.filesystem import FilesystemDriver
from storage.layout import Layout
from storage.memory import MemoryDriver
from tests.catalog.conftest import Clock
from tests.content.conftest import NAME

ROOT = Origin("root", "operator")
CONTENTS = [f"content {number}".encode() * (number * 50 + 1) for number in range(12)]
EXPIRY = timedelta(hours=1)


@dataclass
class House:
    """A registry with two stores, one of files and one that behaves like S3."""

    catalog: Catalog
    clock: Clock
    files: FilesystemDriver
    memory: MemoryDriver
    former: str
    driver: str
    stores: dict[str, BlobStore] = field(default_factory=dict)

    def uploads(self, store: str) -> Uploads:
        """Take uploads into a store."""
        return Uploads(self.catalog, self.stores, store=store, limits=UploadLimits(EXPIRY))

    def push(self, content: bytes, store: str | None = None, algorithm: str = "sha256") -> Blob:
        """Upload a blob, into the former store if nothing else is said."""
        uploads = self.uploads(store or self.former)
        session_id = uploads.start(NAME, subject="ann", algorithm=algorithm)
        reception = Reception(uploads, NAME, session_id, subject="ann", chunk=ChunkRange())
        return reception.finish([content], Digest.of(content, algorithm))

    def moving(self, manner: Manner | None = None) -> Moving:
        """Give a move."""
        audit = Audit(self.catalog, no_lines)
        uploads = self.uploads(self.driver)
        return Moving(uploads, audit, former=self.former, driver=self.driver, manner=manner or Manner())

    def move(self, manner: Manner | None = None) -> Result:
        """Move everything."""
        return self.moving(manner).run(ROOT, lambda progress: None)

    def pulled(self, digest: Digest) -> bytes:
        """Read a blob as a pull does."""
        with self.catalog.read() as tx:
            blob = tx.blobs.linked_by_name(NAME.value, digest)
        return b"".join(
            Blobs(self.catalog, self.stores, Audit(self.catalog, no_lines), timedelta(hours=24)).read(
                blob, 0, blob.size
            )
        )

    def blob(self, digest: Digest) -> Blob:
        """Look where a blob lies."""
        with self.catalog.read() as tx:
            return tx.blobs.linked_by_name(NAME.value, digest)

    def unlink(self, blob: Blob) -> None:
        """Take a blob out of its repository and out of the catalog, as a collector does."""
        with self.catalog.begin() as tx:
            tx.blobs.unlink(tx.repositories.get(NAME).id, blob)
            connection = tx.blobs._connection
            connection.exec_driver_sql(f"DELETE FROM blob WHERE id = {blob.id}")
            tx.blobs.discard(blob.store, blob.key, tx.now)

    def everything(self) -> dict[str, set[str]]:
        """Name all that the stores hold, uploads too."""
        root = self.files._root
        paths = [path for part in ("blobs", "uploads") for path in (root / part).rglob("*") if path.is_file()]
        held = {*self.memory.objects, *self.memory.parts, *self.memory.tails}
        return {"files": {str(path.relative_to(root)) for path in paths}, "s3": held}

    def swept(self) -> dict[str, set[str]]:
        """Let all times pass, do what sweeps do, and name what is left."""
        self.clock.now += (2 * REMOTE_KEY_LIFETIME + EXPIRY) // timedelta(microseconds=1)
        uploads = self.uploads(self.driver)
        uploads.sweep_sessions()
        uploads.sweep_keys()
        return self.everything()

    def rows(self) -> dict[str, set[str]]:
        """Name the keys of all blobs."""
        with self.catalog.read() as tx:
            return {name: {blob.key for blob in tx.placement.page(name, "", 1000)} for name in ("files", "s3")}


@pytest.fixture(params=["files to s3", "s3 to files"])
def house(request: pytest.FixtureRequest, catalog: Catalog, clock: Clock, place: Path) -> House:
    """A registry that was on one kind of store, and is on another now."""
    former, _, driver = request.param.split()
    Layout.open(place / "data", create=True)
    files, memory = FilesystemDriver(place / "data", reserve=0), MemoryDriver(part_size=1000)
    drivers: dict[str, Driver] = {"files": files, "s3": memory}
    stores = {name: BlobStore(driver, name=name) for name, driver in drivers.items()}
    return House(catalog, clock, files, memory, former, driver, stores)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing."""
    monkeypatch.setattr(module, "PAUSES", (0.0,))


def spoil(house: House, blob: Blob, content: bytes | None) -> None:
    """Give a key of the former store other bytes, or none."""
    if house.former == "s3":
        house.memory.objects.pop(blob.key)
        if content is not None:
            house.memory.objects[blob.key] = content
        return
    path = house.files.local_path(blob.key)
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def once(method: Callable[..., object], before: Callable[[], object]) -> Callable[..., object]:
    """Do something else first, the first time that a method is called."""
    waiting = [before]

    def wrapped(*args: object, **kwargs: object) -> object:
        if waiting:
            waiting.pop()()
        return method(*args, **kwargs)

    return wrapped
