"""The S3 driver keeps every promise, on a small fake with tiny parts and on a real server with parts as they are."""

from collections.abc import Iterator

import pytest

from storage.blobs import BlobStore
from storage.digest import Digest
from storage.driver import Driver
from storage.s3.driver import S3Driver
from tests.parts.ceph import Ceph
from tests.parts.fake_s3 import FakeS3, start_fake_s3
from tests.parts.versitygw import VersityGateway
from tests.storage.driver_contract import DriverContract
from tests.storage.steps import new_id, whole
from tests.storage.store_contract import BlobStoreContract
from tests.storage.upload_contract import UploadContract


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeS3]:
    """Give one fake for all; each test has a prefix of its own."""
    with start_fake_s3() as running:
        yield running


class TestS3Driver(DriverContract):
    """The contract on a fake."""

    reads_back = False

    @pytest.fixture
    def driver(self, fake: FakeS3) -> Iterator[Driver]:
        """Give an empty driver."""
        yield S3Driver(fake.options(prefix=f"{new_id()}/", part_bytes=100_000, largest_blob=2 << 20))


class TestS3Uploads(UploadContract):
    """The part of it that is about parts, with parts of a few bytes."""

    @pytest.fixture
    def driver(self, fake: FakeS3) -> Iterator[Driver]:
        """Give an empty driver."""
        yield S3Driver(fake.options(prefix=f"{new_id()}/"))

    def test_bytes_arrive_in_order_whatever_the_blocks(self, driver: Driver, upload_id: str) -> None:
        """Arrive in fewer blocks than elsewhere, for each part is a request."""
        data = bytes(range(256))
        writer = driver.begin(upload_id)
        start = 0
        for size in (1, 9, 10, 11, 0, 100, len(data)):
            writer.write(memoryview(data)[start : start + size])
            start += size
        key = writer.commit(Digest.of(data))
        writer.abort()
        assert whole(driver, key) == data


class TestS3Store(BlobStoreContract):
    """The store over it."""

    reads_back = False

    @pytest.fixture
    def store(self, fake: FakeS3) -> Iterator[BlobStore]:
        """Give an empty store."""
        yield BlobStore(S3Driver(fake.options(prefix=f"{new_id()}/", part_bytes=10_000)))


@pytest.mark.slow
class TestCephDriver(DriverContract):
    """The contract on a real server, under a prefix."""

    reads_back = False

    @pytest.fixture
    def driver(self, ceph: Ceph) -> Iterator[Driver]:
        """Give an empty driver."""
        yield S3Driver(ceph.options(ceph.bucket(), prefix="some/where/"))


@pytest.mark.slow
class TestCephStore(BlobStoreContract):
    """The store over it, without a prefix."""

    reads_back = False

    @pytest.fixture
    def store(self, ceph: Ceph) -> Iterator[BlobStore]:
        """Give an empty store."""
        yield BlobStore(S3Driver(ceph.options(ceph.bucket())))


@pytest.mark.slow
class TestVersityDriver(DriverContract):
    """The contract on another real server, under a prefix."""

    reads_back = False

    @pytest.fixture
    def driver(self, versitygw: VersityGateway) -> Iterator[Driver]:
        """Give an empty driver."""
        yield S3Driver(versitygw.options(versitygw.bucket(), prefix="some/where/"))


@pytest.mark.slow
class TestVersityStore(BlobStoreContract):
    """The store over it, without a prefix."""

    reads_back = False

    @pytest.fixture
    def store(self, versitygw: VersityGateway) -> Iterator[BlobStore]:
        """Give an empty store."""
        yield BlobStore(S3Driver(versitygw.options(versitygw.bucket())))
