"""Uploads that two processes take in turns, or at once, on a store that has no locks between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from registry.catalog.blobs import Blob
from registry.catalog.catalog import Catalog
from registry.catalog.uploads import UploadSession, UploadSessions
from registry.content.reception import ChunkRange, Reception
from registry.content.uploads import UploadLimits, Uploads
from registry.oci.errors import ErrorCode, RegistryError
from storage.blobs import BlobStore, StoredBlob
from storage.digest import Digest
from storage.s3.driver import S3Driver
from tests.content.conftest import NAME, SECOND, Clock
from tests.parts.fake_s3 import FakeS3, start_fake_s3

CONTENT = b"content that takes more than one part"
DIGEST = Digest.of(CONTENT)
HOUR = 3600 * SECOND


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


def test_a_chunk_that_another_process_was_quicker_with_is_told_where_to_go_on(two: tuple[Process, Process]) -> None:
    first, second = two
    session_id = first.uploads.start(NAME, subject="ann")
    slower, faster = first.reception(session_id), second.reception(session_id)
    slower.write([b"other bytes"])
    assert faster.pause([CONTENT]) == len(CONTENT)
    with pytest.raises(RegistryError) as told:
        slower.pause()
    slower.close()
    assert told.value.code is ErrorCode.UPLOAD_OUT_OF_ORDER
    assert told.value.headers["range"] == f"0-{len(CONTENT) - 1}"
    blob = first.reception(session_id).finish([], DIGEST)
    assert b"".join(second.store.read(blob.key)) == CONTENT


def test_a_session_that_another_process_cancels_under_a_chunk_of_many_parts(
    two: tuple[Process, Process], fake: FakeS3
) -> None:
    first, second = two
    session_id = first.uploads.start(NAME, subject="ann")
    first.reception(session_id).pause([CONTENT])
    writing = first.reception(session_id)
    writing.write([CONTENT])
    second.uploads.cancel(NAME, session_id, subject="ann")
    with pytest.raises(RegistryError) as told:
        writing.pause([CONTENT])
    writing.close()
    assert told.value.code is ErrorCode.BLOB_UPLOAD_UNKNOWN


def test_parts_that_another_process_overwrote_are_told_as_lost(two: tuple[Process, Process]) -> None:
    """Whoever sends different bytes to two processes at once starts again: neither of them has what it was told."""
    first, second = two
    session_id = first.uploads.start(NAME, subject="ann")
    first.reception(session_id).pause([CONTENT[:20]])
    winner, loser = first.reception(session_id), second.reception(session_id)
    winner.write([CONTENT[20:]])
    loser.write([b"!" * len(CONTENT)])
    winner.pause()
    with pytest.raises(RegistryError) as told:
        loser.pause()
    loser.close()
    assert told.value.code is ErrorCode.UPLOAD_OUT_OF_ORDER
    closing = first.reception(session_id)
    with pytest.raises(RegistryError) as told:
        closing.finish([], DIGEST)
    closing.close()
    assert told.value.code is ErrorCode.BLOB_UPLOAD_UNKNOWN


def test_a_session_that_takes_bytes_is_not_swept_by_another_process(two: tuple[Process, Process], clock: Clock) -> None:
    first, second = two
    session_id = first.uploads.start(NAME, subject="ann")
    clock.now += 23 * HOUR
    writing = first.reception(session_id)
    writing.write([CONTENT[:20]])
    clock.now += 2 * HOUR
    assert second.uploads.sweep_sessions() == 0
    blob = writing.finish([CONTENT[20:]], DIGEST)
    assert b"".join(second.store.read(blob.key)) == CONTENT


def test_a_session_that_moves_on_while_a_sweep_looks_at_it_is_left_alone(
    two: tuple[Process, Process], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    session_id = first.uploads.start(NAME, subject="ann")
    clock.now += 25 * HOUR
    stale = UploadSessions.stale

    def meanwhile(self: UploadSessions, before: int, limit: int) -> list[UploadSession]:
        found = stale(self, before, limit)
        first.reception(session_id).pause([CONTENT])
        return found

    monkeypatch.setattr(UploadSessions, "stale", meanwhile)
    assert second.uploads.sweep_sessions() == 0
    assert first.reception(session_id).finish([], DIGEST).size == len(CONTENT)


def test_a_sign_of_life_finds_that_another_process_was_quicker(two: tuple[Process, Process]) -> None:
    """The slower one is told before it has sent all of its bytes."""
    first, second = two
    first.uploads.limits = UploadLimits(expiry=timedelta(microseconds=4))  # a sign with every block
    session_id = first.uploads.start(NAME, subject="ann")
    slower, faster = first.reception(session_id), second.reception(session_id)
    slower.write([b"other"])
    faster.pause([CONTENT])
    with pytest.raises(RegistryError) as told:
        slower.write([b"bytes"])
    slower.close()
    assert told.value.code is ErrorCode.UPLOAD_OUT_OF_ORDER
    assert told.value.headers["range"] == f"0-{len(CONTENT) - 1}"


def test_of_two_that_cancel_at_once_the_slower_is_told_that_it_is_gone(
    two: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    session_id = first.uploads.start(NAME, subject="ann")
    stands = UploadSessions.stands

    def meanwhile(self: UploadSessions, session: UploadSession) -> bool:
        monkeypatch.undo()
        second.uploads.cancel(NAME, session_id, subject="ann")
        return stands(self, session)

    monkeypatch.setattr(UploadSessions, "stands", meanwhile)
    with pytest.raises(RegistryError) as told:
        first.uploads.cancel(NAME, session_id, subject="ann")
    assert told.value.code is ErrorCode.BLOB_UPLOAD_UNKNOWN
