"""The S3 driver keeps every promise on versitygw too, which the compose file starts; where that is installed."""

from collections.abc import Iterator

import pytest

from storage.blobs import BlobStore
from storage.driver import Driver
from storage.s3.driver import S3Driver
from tests.parts.versitygw import Versitygw, start_versitygw
from tests.storage.driver_contract import DriverContract
from tests.storage.store_contract import BlobStoreContract
from tests.storage.upload_contract import UploadContract

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def versitygw() -> Iterator[Versitygw]:
    """Give one for all; each test has a bucket of its own."""
    with start_versitygw() as running:
        yield running


class TestVersitygwDriver(DriverContract):
    """The contract."""

    reads_back = False

    @pytest.fixture
    def driver(self, versitygw: Versitygw) -> Iterator[Driver]:
        """Give an empty driver."""
        yield S3Driver(versitygw.options())


class TestVersitygwUploads(UploadContract):
    """The part of it that is about parts."""

    @pytest.fixture
    def driver(self, versitygw: Versitygw) -> Iterator[Driver]:
        """Give an empty driver."""
        yield S3Driver(versitygw.options())


class TestVersitygwStore(BlobStoreContract):
    """The store over it."""

    reads_back = False

    @pytest.fixture
    def store(self, versitygw: Versitygw) -> Iterator[BlobStore]:
        """Give an empty store."""
        yield BlobStore(S3Driver(versitygw.options()))
