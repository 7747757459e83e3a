"""Uploads that two processes take in turns, or at once, on a store that has no locks between them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from registry.catalog.blobs import Blob
from registry.catalog.catalog import Catalog
from registry.content.reception import ChunkRange, Reception
from registry.content.uploads import UploadLimits, Uploads
from registry.oci.errors import ErrorCode, RegistryError
from storage.blobs import BlobStore, StoredBlob
from storage.digest import Digest
from storage.s3.driver import S3Driver
from tests.content.conftest import NAME
from tests.parts.fake_s3 import FakeS3, start_fake_s3

CONTENT = b"content that takes more than one part"
DIGEST = Digest.of(CONTENT)


@dataclass
class Process:
    """What one process has for itself."""

    catalog: Catalog
    store: BlobStore
    uploads: Uploads

    def reception(self, session_id: str) -> Reception:
        """Take a request's bytes."""
        return Reception(self.uploads, NAME, session_id, subject="ann", chunk=ChunkRange())


@pytest.fixture
def fake() -> Iterator[FakeS3]:
    """Give an empty server."""
    with start_fake_s3() as running:
        yield running


@pytest.fixture
def two(catalog: Catalog, fake: FakeS3) -> tuple[Process, Process]:
    """Give two processes on one catalog and one bucket."""

    def process() -> Process:
        store = BlobStore(S3Driver(fake.options()))
        uploads = Uploads(catalog, {"default": store}, store="default", limits=UploadLimits())
        return Process(catalog, store, uploads)

    return process(), process()


def swept(process: Process, fake: FakeS3) -> set[str]:
    """Do what sweeps do, and list what is left."""
    process.uploads.sweep_sessions()
    process.uploads.sweep_keys()
    return set(fake.objects)


def test_every_request_of_an_upload_may_reach_another_process(two: tuple[Process, Process], fake: FakeS3) -> None:
    session_id = two[0].uploads.start(NAME, subject="ann")
    for number in range(len(CONTENT)):
        assert two[number % 2].reception(session_id).pause([CONTENT[number : number + 1]]) == number + 1
    blob = two[1].reception(session_id).finish([], DIGEST)
    assert b"".join(two[0].store.read(blob.key)) == CONTENT
    assert swept(two[0], fake) == {blob.key}


@pytest.mark.parametrize("way", ["cancel", "other bytes"])
def test_key_that_another_process_undoes_is_never_acknowledged(
    two: tuple[Process, Process], fake: FakeS3, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The first has published its key and is about to commit its row when the second sees a key that no row names."""
    first, second = two
    session_id = first.uploads.start(NAME, subject="ann")
    publish = Reception._publish

    def meanwhile(self: Reception, session: object, stored: StoredBlob) -> Blob:
        if way == "cancel":
            second.uploads.cancel(NAME, session_id, subject="ann")
        else:
            with pytest.raises(RegistryError) as told:
                second.reception(session_id).pause([b"other"])
            assert told.value.code is ErrorCode.UNAVAILABLE
        return publish(self, session, stored)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(Reception, "_publish", meanwhile)
    reception = first.reception(session_id)
    with pytest.raises(RegistryError) as told:
        reception.finish([CONTENT], DIGEST)
    reception.close()
    assert told.value.code is ErrorCode.BLOB_UPLOAD_UNKNOWN
    assert swept(second, fake) == set()


def test_of_two_that_finish_at_once_one_wins_and_its_bytes_stay(two: tuple[Process, Process], fake: FakeS3) -> None:
    first, second = two
    session_id = first.uploads.start(NAME, subject="ann")
    slower, faster = first.reception(session_id), second.reception(session_id)
    slower.write([CONTENT])
    blob = faster.finish([CONTENT], DIGEST)
    with pytest.raises(RegistryError) as told:
        slower.finish([], DIGEST)
    slower.close()
    assert told.value.code is ErrorCode.BLOB_UPLOAD_UNKNOWN
    assert swept(first, fake) == {blob.key}
    assert b"".join(first.store.read(blob.key)) == CONTENT


def test_key_with_other_bytes_of_equal_length_is_undone(two: tuple[Process, Process], fake: FakeS3) -> None:
    """A process that had not seen the last chunk published its own end of the upload, and died before its row."""
    session_id = two[0].uploads.start(NAME, subject="ann")
    two[0].reception(session_id).pause([CONTENT])
    (upload,) = fake.multiparts.values()
    other = next(iter(fake.objects.values()))
    other.data, tail = CONTENT[::-1], other.data
    key = next(iter(fake.objects))
    fake.objects[upload.key] = other
    fake.objects[key] = type(other)(tail, other.etag, {}, other.modified)
    reception = two[1].reception(session_id)
    with pytest.raises(RegistryError) as told:
        reception.finish([], DIGEST)
    reception.close()
    assert told.value.code is ErrorCode.UNAVAILABLE
    blob = two[1].reception(session_id).finish([], DIGEST)
    assert b"".join(two[0].store.read(blob.key)) == CONTENT
