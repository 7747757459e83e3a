"""What the S3 driver makes sure of: what was stored and whose it is, how much memory it takes, that nothing stays."""

import logging
from typing import Any

import pytest

from storage.digest import Digest
from storage.errors import DigestMismatch, NotFound, Unavailable
from storage.s3.driver import S3Driver
from tests.parts.fake_s3 import FakeS3
from tests.parts.fake_s3_contents import Trouble
from tests.storage.steps import at, committed, new_id, publish, suspended, whole

DATA = bytes(range(48, 48 + 35))  # three parts of ten bytes and a tail
HASTY: dict[str, Any] = {"connect_timeout": 0.3, "read_timeout": 0.3, "deadline": 1.0}
OTHER_ETAG = {"ETag": f'"{"0" * 32}"'}


@pytest.fixture
def driver(fake: FakeS3) -> S3Driver:
    """Give the driver on it."""
    return S3Driver(fake.options())


@pytest.fixture
def upload_id() -> str:
    """Give an upload id that was never used."""
    return new_id()


# what was stored is looked at


def test_wrong_etag_is_repeated_and_then_an_error(fake: FakeS3) -> None:
    driver = S3Driver(fake.options(**HASTY))
    fake.meets("PutObject", Trouble(headers=OTHER_ETAG))
    key = publish(driver, b"abc")
    assert whole(driver, key) == b"abc"
    fake.meets("PutObject", *[Trouble(headers=OTHER_ETAG)] * 50)
    with pytest.raises(Unavailable, match="acknowledged other bytes"):
        publish(driver, b"abc")


def test_etag_of_an_encrypted_object_is_no_md5(fake: FakeS3) -> None:
    driver = S3Driver(fake.options(sse="aws:kms", sse_kms_key="key", storage_class="STANDARD_IA"))
    fake.meets("PutObject", Trouble(headers={**OTHER_ETAG, "x-amz-server-side-encryption": "aws:kms"}))
    key = publish(driver, b"abc")
    assert whole(driver, key) == b"abc"
    assert fake.objects[key].headers == {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "key",
        "x-amz-storage-class": "STANDARD_IA",
    }


@pytest.mark.parametrize("etag", ["opaque-but-stable", "0" * 32])
def test_object_whose_etag_tells_nothing_is_measured(fake: FakeS3, driver: S3Driver, etag: str) -> None:
    answer = f"<R><ETag>{etag}</ETag></R>".encode()
    fake.meets("CompleteMultipartUpload", *[Trouble(body=answer, headers={"Content-Length": str(len(answer))})] * 2)
    assert whole(driver, publish(driver, DATA)) == DATA
    fake.meets("HeadObject", Trouble(headers={"Content-Length": "3"}))
    with pytest.raises(Unavailable, match="another size"):
        publish(driver, DATA)


def test_parts_with_etags_that_are_no_md5(fake: FakeS3, driver: S3Driver, upload_id: str) -> None:
    kms = {"ETag": '"not-hexadecimal"', "x-amz-server-side-encryption": "aws:kms"}
    fake.meets("UploadPart", *[Trouble(headers=kms)] * 3)
    writer = driver.begin(upload_id)
    writer.write(memoryview(DATA))
    state = writer.checkpoint()
    writer.close()
    with pytest.raises(NotFound):  # the fake has other ETags in its list
        driver.resume(upload_id, at(len(DATA), state))


# lost replies, and others at the same upload


def test_lost_reply_to_the_end_finds_its_own_object(fake: FakeS3, driver: S3Driver) -> None:
    fake.meets("CompleteMultipartUpload", Trouble(lose=True))
    fake.meets("HeadObject", Trouble(headers=OTHER_ETAG))  # so that the bytes have to be read
    key = publish(driver, DATA)
    assert whole(driver, key) == DATA


@pytest.mark.parametrize("other", [DATA[::-1], b"shorter"])
def test_another_process_that_ended_the_upload_first_wins(
    fake: FakeS3, driver: S3Driver, upload_id: str, other: bytes
) -> None:
    writer = driver.begin(upload_id)
    writer.write(memoryview(DATA))
    writer.checkpoint()
    (upload,) = fake.multiparts.values()
    fake.objects[upload.key] = fake.objects[publish(driver, other)]
    fake.meets("CompleteMultipartUpload", Trouble(404, "NoSuchUpload"))
    with pytest.raises(DigestMismatch):
        writer.commit(Digest.of(DATA))
    writer.abort()
    assert whole(driver, upload.key) == other


def test_upload_that_was_discarded_elsewhere_is_not_found(fake: FakeS3, driver: S3Driver, upload_id: str) -> None:
    writer = driver.begin(upload_id)
    writer.write(memoryview(DATA))
    S3Driver(fake.options()).discard(upload_id, writer.checkpoint())
    with pytest.raises(NotFound):
        writer.commit(Digest.of(DATA))
    writer.abort()


def test_slower_of_two_processes_undoes_nothing(fake: FakeS3, driver: S3Driver, upload_id: str) -> None:
    """Both resume at one state; the rows of the second are refused, and the first goes on from its own."""
    state = suspended(driver, upload_id, DATA)
    first = driver.resume(upload_id, at(35, state))
    second = S3Driver(fake.options()).resume(upload_id, at(35, state))
    first.write(memoryview(b"+++"))
    second.write(memoryview(b"-"))
    accepted = first.checkpoint()
    second.checkpoint()
    first.close()
    second.close()
    key = committed(driver, upload_id, DATA + b"+++", accepted)
    assert whole(driver, key) == DATA + b"+++"


def test_published_bytes_of_equal_length_are_not_taken_for_ours(fake: FakeS3, driver: S3Driver, upload_id: str) -> None:
    """Another process published other bytes from an older state and died; ours has moved on to the same length."""
    state = suspended(driver, upload_id, b"abc")
    fake.objects[f"blobs/{upload_id}.0000000000000000"] = fake.objects[publish(driver, b"xyz")]
    writer = driver.resume(upload_id, at(3, state))
    with pytest.raises(DigestMismatch):
        writer.commit(Digest.of(b"abc"))
    writer.close()
    driver.settle(upload_id, lambda _key: False)
    key = committed(driver, upload_id, b"abc", state)
    assert whole(driver, key) == b"abc"


@pytest.mark.parametrize("loss", ["part", "upload", "tail", "damage"])
def test_what_was_lost_is_noticed_when_it_is_resumed(fake: FakeS3, driver: S3Driver, upload_id: str, loss: str) -> None:
    state = suspended(driver, upload_id, DATA)
    ((name, upload),) = fake.multiparts.items()
    ((tail, stored),) = fake.objects.items()
    if loss == "part":
        del upload.parts[3]
    elif loss == "upload":
        del fake.multiparts[name]
    elif loss == "tail":
        del fake.objects[tail]
    else:
        stored.data = stored.data[::-1]
    with pytest.raises(Unavailable if loss == "damage" else NotFound):
        driver.resume(upload_id, at(35, state))
    assert driver._means.budget.used == 0


# memory, and what is left behind


def test_parts_go_to_a_file_when_the_budget_is_spent(fake: FakeS3, upload_id: str) -> None:
    driver = S3Driver(fake.options(memory_bytes=15))
    other = driver.begin(new_id())
    other.write(memoryview(b"0123456789"))
    key = publish(driver, DATA)
    assert whole(driver, key) == DATA
    state = suspended(driver, upload_id, DATA[:8])
    assert whole(driver, committed(driver, upload_id, DATA, state, offset=8)) == DATA
    other.abort()
    assert driver._means.budget.used == 0


def test_own_parts_are_waited_for_before_memory_is_exceeded(fake: FakeS3) -> None:
    driver = S3Driver(fake.options(memory_bytes=20))
    fake.meets("UploadPart", *[Trouble(stall=0.05)] * 3)
    key = publish(driver, DATA)
    assert whole(driver, key) == DATA


def test_no_more_parts_are_under_way_than_allowed(fake: FakeS3) -> None:
    driver = S3Driver(fake.options(parallel_parts=1))
    assert whole(driver, publish(driver, DATA * 3)) == DATA * 3


def test_failed_part_is_told_and_nothing_is_left(fake: FakeS3, upload_id: str) -> None:
    driver = S3Driver(fake.options(parallel_parts=1, **HASTY))
    fake.meets("UploadPart", *[Trouble(403, "AccessDenied")] * 9)
    writer = driver.begin(upload_id)
    with pytest.raises(Unavailable):
        writer.write(memoryview(DATA * 3))
    writer.abort()
    assert driver._means.budget.used == 0
    assert list(driver.uploads()) == []


def test_what_cannot_be_cleaned_up_is_logged_and_swept(
    fake: FakeS3, driver: S3Driver, upload_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    state = suspended(driver, upload_id, DATA)
    writer = driver.resume(upload_id, at(35, state))
    fake.meets("AbortMultipartUpload", Trouble(403, "AccessDenied"))
    with caplog.at_level(logging.WARNING):
        writer.abort()
    assert "could not be cleaned up" in caplog.text
    assert list(driver.uploads()) == [upload_id]
    driver.discard(upload_id, state)
    assert list(driver.uploads()) == []


def test_sixty_killed_uploads_leave_nothing_after_the_sweep(fake: FakeS3, driver: S3Driver) -> None:
    for size in range(60):
        suspended(S3Driver(fake.options()), new_id(), b"x" * (size + 1))
    for upload_id in driver.uploads():
        driver.discard(upload_id, None)
    assert (fake.multiparts, fake.objects) == ({}, {})


def test_aborting_what_is_gone_is_fine(fake: FakeS3, driver: S3Driver, upload_id: str) -> None:
    writer = driver.begin(upload_id)
    writer.write(memoryview(DATA))
    writer.checkpoint()
    fake.multiparts.clear()
    writer.abort()
    assert list(driver.uploads()) == []


def test_tails_that_are_superseded_go_with_the_next_writer(fake: FakeS3, driver: S3Driver, upload_id: str) -> None:
    state = suspended(driver, upload_id, b"abc")
    for offset in range(3, 9):
        writer = driver.resume(upload_id, at(offset, state))
        assert writer.checkpoint() in (state, writer.checkpoint())
        writer.write(memoryview(b"d"))
        state = writer.checkpoint()
        writer.close()
        assert len(fake.objects) <= 2


def test_checkpoint_of_what_is_published_changes_nothing(fake: FakeS3, driver: S3Driver, upload_id: str) -> None:
    state = suspended(driver, upload_id, b"abc")
    committed(driver, upload_id, b"abc", state)
    writer = driver.resume(upload_id, at(3, state))
    assert writer.checkpoint() == state
    writer.close()
