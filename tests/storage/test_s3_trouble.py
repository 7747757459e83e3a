"""What the S3 driver does when the store fails, lies, is slow or is not there."""

import time
from typing import Any

import pytest

from storage.digest import Digest
from storage.errors import Full, NotFound, StorageError, Unavailable
from storage.s3 import bucket as bucket_module
from storage.s3.driver import S3Driver
from tests.parts.fake_s3 import FakeS3
from tests.parts.fake_s3_contents import Trouble
from tests.storage.keyless import keyless
from tests.storage.steps import at, new_id, publish, suspended, whole

DATA = bytes(range(48, 48 + 35))  # three parts of ten bytes and a tail
FAILED = Trouble(500, "InternalError")
HASTY: dict[str, Any] = {"connect_timeout": 0.3, "read_timeout": 0.3, "deadline": 1.0}


@pytest.fixture
def driver(fake: FakeS3) -> S3Driver:
    """Give the driver on it."""
    return S3Driver(fake.options())


@pytest.fixture
def upload_id() -> str:
    """Give an upload id that was never used."""
    return new_id()


# what passes is tried again


@pytest.mark.parametrize(
    "trouble",
    [
        FAILED,
        Trouble(503, "SlowDown"),
        Trouble(429, "TooManyRequests"),
        Trouble(400, "RequestTimeout"),
        Trouble(400, "BadDigest"),
        Trouble(drop=True),
        Trouble(lose=True),
    ],
)
@pytest.mark.parametrize(
    "operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "ListParts"]
)
def test_push_survives_what_passes(
    fake: FakeS3, driver: S3Driver, upload_id: str, operation: str, trouble: Trouble
) -> None:
    fake.meets(operation, trouble)
    state = suspended(driver, upload_id, DATA)
    writer = driver.resume(upload_id, at(len(DATA), state))
    writer.write(memoryview(DATA))
    key = writer.commit(Digest.of(DATA * 2))
    writer.abort()
    assert whole(driver, key) == DATA * 2
    assert not fake.trouble[operation]
    driver.discard(upload_id, None)  # a lost answer to "create" leaves an upload that nobody knows
    assert list(driver.uploads()) == []


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject", "DeleteObject", "ListObjectsV2"])
def test_other_calls_survive_what_passes(fake: FakeS3, driver: S3Driver, operation: str) -> None:
    key = publish(driver, DATA)
    fake.meets(operation, FAILED, Trouble(drop=True))
    assert whole(driver, key) == DATA
    assert list(driver.uploads()) == []
    assert driver.health().writable
    driver.delete(key)
    assert not fake.trouble[operation]


def test_stalled_call_is_given_up_and_repeated(fake: FakeS3) -> None:
    driver = S3Driver(fake.options(connect_timeout=0.3, read_timeout=0.3, deadline=9.0))
    fake.meets("PutObject", Trouble(stall=1.0))
    assert driver.stat(publish(driver, b"abc")) == 3


def test_error_in_an_answer_that_says_200(fake: FakeS3, driver: S3Driver) -> None:
    broken = b"<Error><Code>InternalError</Code><Message>after all</Message></Error>"
    fake.meets("CompleteMultipartUpload", Trouble(body=broken, headers={"Content-Length": str(len(broken))}))
    key = publish(driver, DATA)
    assert whole(driver, key) == DATA


def test_what_does_not_pass_ends_by_the_deadline(fake: FakeS3) -> None:
    driver = S3Driver(fake.options(**HASTY))
    fake.meets("PutObject", *[Trouble(503, "SlowDown")] * 50)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer well"):
        publish(driver, b"abc")
    assert time.monotonic() - begun < 5
    fake.trouble.clear()
    assert driver.stat(publish(driver, b"abc")) == 3


def test_outage_answers_soon_and_then_at_once_and_heals(fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "REST", 60.0)
    driver = S3Driver(fake.options(**HASTY))
    fake.down = True
    with pytest.raises(Unavailable, match="cannot be reached"):
        driver.stat("blobs/a")
    asked = len(fake.asked)
    health = driver.health()
    assert (health.writable, health.readable) == (False, False)
    assert "a moment ago" in str(health.problem)
    assert len(fake.asked) == asked
    fake.down = False
    driver._bucket._quiet_until = 0.0
    with pytest.raises(NotFound):
        driver.stat("blobs/a")


# what does not pass says what to do


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        (Trouble(403, "AccessDenied"), Unavailable, "policy"),
        (Trouble(403, "RequestTimeTooSkewed"), Unavailable, "clock"),
        (Trouble(400, "AuthorizationHeaderMalformed"), Unavailable, "region"),
        (Trouble(403, "SignatureDoesNotMatch"), Unavailable, "secret"),
        (Trouble(403, "QuotaExceeded"), Full, "QuotaExceeded"),
        (Trouble(400, "Odd"), Unavailable, "Odd"),
    ],
)
def test_refusal_is_explained_and_not_repeated(
    fake: FakeS3, driver: S3Driver, trouble: Trouble, kind: type[StorageError], words: str
) -> None:
    fake.meets("PutObject", trouble)
    with pytest.raises(kind, match=words):
        publish(driver, b"abc")
    assert fake.asked.count("PutObject") == 1


def test_missing_bucket_is_no_missing_key(fake: FakeS3) -> None:
    driver = S3Driver(fake.options())
    fake.meets("GetObject", Trouble(404, "NoSuchBucket"))
    with pytest.raises(Unavailable, match=r"storage\.s3\.bucket"):
        driver.read("blobs/a", 0, 1)


def test_without_keys(fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.s3.client._session", keyless)
    driver = S3Driver(fake.options(access_key=None, secret_key=None))
    with pytest.raises(Unavailable, match=r"storage\.s3\.access_key"):
        driver.stat("blobs/a")


# reading


@pytest.mark.parametrize("trouble", [Trouble(cut=5), Trouble(cut=0), Trouble(stall=0.6)])
def test_read_goes_on_where_it_was_cut(fake: FakeS3, trouble: Trouble) -> None:
    driver = S3Driver(fake.options(connect_timeout=0.3, read_timeout=0.3, deadline=9.0))
    key = publish(driver, DATA)
    fake.meets("GetObject", trouble, trouble)
    assert b"".join(driver.read(key, 2, 30)) == DATA[2:30]


def test_read_that_never_moves_is_given_up(fake: FakeS3) -> None:
    driver = S3Driver(fake.options(**HASTY))
    key = publish(driver, DATA)
    fake.meets("GetObject", *[Trouble(cut=0)] * 100)
    with pytest.raises(Unavailable, match="sends nothing from byte 0"):
        whole(driver, key)


def test_read_of_empty_answers_is_given_up(fake: FakeS3) -> None:
    driver = S3Driver(fake.options(**HASTY))
    key = publish(driver, DATA)
    fake.meets("GetObject", *[Trouble(body=b"", headers={"Content-Length": "0"})] * 100)
    with pytest.raises(Unavailable, match="sends nothing from byte 0"):
        whole(driver, key)


def test_answer_with_another_range_is_not_taken(fake: FakeS3) -> None:
    driver = S3Driver(fake.options())
    key = publish(driver, DATA)
    fake.meets("GetObject", Trouble(headers={"Content-Range": "bytes 0-3/35"}))
    assert b"".join(driver.read(key, 1, 4)) == DATA[1:4]
