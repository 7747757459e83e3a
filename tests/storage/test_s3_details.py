"""The S3 driver's parts: sizes, states, addresses, ages."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from storage.blobs import BlobStore
from storage.digest import Digest
from storage.driver import LocalPath, Presigned, ReadBack
from storage.errors import DigestMismatch, Unavailable
from storage.memory import MemoryDriver
from storage.s3 import buffers
from storage.s3.buffers import Budget, Part
from storage.s3.driver import S3Driver
from storage.s3.options import LEAST_PART, MIB, S3Options
from storage.s3.parts import _joint
from storage.s3.session import Session, Tail
from tests.parts.fake_s3 import FakeS3
from tests.storage.keyless import keyless
from tests.storage.steps import new_id, publish, suspended


@pytest.mark.parametrize("largest", [1, 5 << 30, 20 << 30, 200 << 30, 5 << 40])
def test_ten_thousand_parts_hold_the_largest_blob(largest: int) -> None:
    size = S3Options("bucket", largest_blob=largest).part_size
    assert size * 10_000 >= largest
    assert size >= LEAST_PART
    assert size == 8 * MIB or size % MIB == 0


def test_secret_is_not_shown() -> None:
    assert "hidden" not in repr(S3Options("bucket", secret_key="hidden"))


@pytest.mark.parametrize(
    "session",
    [
        Session(5),
        Session(5, "0123456789abcdef", "an-id", ("a" * 32, "odd", "0" * 33)),
        Session(5, tail=Tail("0123456789abcdef", 4, "b" * 32), old=("f" * 16, "e" * 16)),
    ],
)
def test_state_comes_back(session: Session) -> None:
    data = session.encode()
    assert Session.decode(data) == session
    for end in range(len(data)):
        with pytest.raises(Unavailable):
            Session.decode(data[:end])
    with pytest.raises(Unavailable):
        Session.decode(b"\xff" + data[1:])


def test_driver_says_what_it_can() -> None:
    driver = S3Driver(S3Options("bucket"))
    assert isinstance(driver, Presigned)
    assert not isinstance(driver, LocalPath)
    writer = driver.begin(new_id())
    assert not isinstance(writer, ReadBack)
    writer.abort()


def test_presigned_address_serves_the_object_without_keys(fake: FakeS3) -> None:
    driver = S3Driver(fake.options(prefix="here/"))
    key = publish(driver, b"content")
    address = BlobStore(driver).presigned(key, timedelta(minutes=20))
    assert address is not None
    query = parse_qs(urlsplit(address).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["1200"]
    with urlopen(address, timeout=10) as answer:
        assert answer.read() == b"content"


def test_what_goes_with_its_md5_is_not_hashed_again(fake: FakeS3) -> None:
    """The fake refuses a body that is neither hashed for the signature nor goes with an MD5 that is signed."""
    publish(S3Driver(fake.options(prefix="there/")), b"long enough for parts")
    publish(S3Driver(fake.options(prefix="there/")), b"short")
    asked = [operation for operation in fake.asked if operation in ("UploadPart", "PutObject")]
    assert fake.unhashed == ["PUT"] * len(asked)


def test_public_endpoint_is_what_clients_are_sent_to() -> None:
    options = S3Options(
        "bucket",
        endpoint="http://10.0.0.1:7480",
        public_endpoint="https://s3.example",
        access_key="a",
        secret_key="b",
        path_style=True,
    )
    assert S3Driver(options).presign("blobs/a", timedelta(hours=1)).startswith("https://s3.example/bucket/blobs/a?")


def test_address_that_cannot_be_signed(fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.s3.client._session", keyless)
    driver = S3Driver(fake.options(access_key=None, secret_key=None))
    for _ in range(2):
        with pytest.raises(Unavailable, match="could be signed"):
            driver.presign("blobs/a", timedelta(hours=1))


def test_etags_that_are_no_md5_are_not_joined() -> None:
    assert _joint(["a" * 32, "opaque"]) is None


def test_stores_without_addresses_give_none() -> None:
    assert BlobStore(MemoryDriver()).presigned("blobs/a", timedelta(hours=1)) is None


def test_young_strangers_are_left_alone(fake: FakeS3) -> None:
    for data in (b"short", b"long enough for parts"):
        suspended(S3Driver(fake.options()), new_id(), data)
    fake.objects["uploads/else"] = next(iter(fake.objects.values()))
    assert list(S3Driver(fake.options(stranger_age=timedelta(hours=1))).uploads()) == []
    assert len(list(S3Driver(fake.options()).uploads())) == 2


@pytest.mark.parametrize("memory", [10, 0])
def test_part_is_read_as_files_are(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "PIECE", 1)
    budget = Budget(memory)
    part = Part(budget, 10)
    part.append(memoryview(b"0123456789"))
    for _ in range(2):
        body = part.body()
        assert (body.read(3), body.tell()) == (b"012", 3)
        assert body.seek(-2, 2) == 8
        assert body.read() == b"89"
        assert body.seek(1) == 1
        assert body.seek(1, 1) == 2
        assert body.read(100) == b"23456789"
    part.release()
    part.release()
    assert budget.used == 0


def test_part_pays_for_the_large_pages_that_it_takes() -> None:
    budget = Budget(9 * MIB)
    part, other = Part(budget, 5 * MIB), Part(budget, 8 * MIB)
    paid = []
    for _ in range(5):
        part.append(memoryview(bytes(MIB)))
        paid.append(budget.used // MIB)
    assert paid == [1, 2, 4, 4, 5]
    other.append(memoryview(bytes(2 * MIB + 1)))
    assert (budget.used, part.in_memory, other.in_memory) == (9 * MIB, True, True)
    other.append(memoryview(bytes(2 * MIB)))
    assert (budget.used, other.in_memory) == (5 * MIB, False)
    part.release()
    other.release()
    assert budget.used == 0


def test_part_moves_to_a_file_when_the_budget_ends() -> None:
    budget = Budget(5)
    part = Part(budget, 10)
    for piece in (b"012", b"3456", b"7"):
        part.append(memoryview(piece))
    assert (budget.used, part.in_memory, part.body().read()) == (0, False, b"01234567")
    part.release()


def test_content_that_was_published_before_is_told_by_the_algorithm_that_is_asked_for(fake: FakeS3) -> None:
    """Whatever the client had announced: then only reading tells, and that says what the content is."""
    store, upload_id = BlobStore(S3Driver(fake.options())), new_id()
    with store.begin(upload_id) as writer:
        writer.write(b"abc")
        state = writer.suspend()
    with store.resume(upload_id, lambda: state) as writer:
        stored = writer.commit(Digest.of(b"abc", "sha512"))
    with store.resume(upload_id, lambda: state) as writer:
        with pytest.raises(DigestMismatch) as caught:
            writer.commit(Digest.of(b"abd", "sha512"))
        assert caught.value.actual == Digest.of(b"abc", "sha512")
    assert b"".join(store.read(stored.key)) == b"abc"
