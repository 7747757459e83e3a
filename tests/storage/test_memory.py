"""The memory driver keeps every promise, with parts so small that each test crosses their borders."""

from collections.abc import Iterator

import pytest

from storage.blobs import BlobStore
from storage.driver import Driver, LocalPath, ReadBack
from storage.memory import MemoryDriver
from tests.storage.driver_contract import DriverContract
from tests.storage.steps import new_id
from tests.storage.store_contract import BlobStoreContract


class TestMemoryDriver(DriverContract):
    """The contract on dictionaries."""

    reads_back = False

    @pytest.fixture
    def driver(self) -> Iterator[Driver]:
        """Give an empty driver."""
        yield MemoryDriver(part_size=10)


class TestMemoryStore(BlobStoreContract):
    """The store over it."""

    reads_back = False

    @pytest.fixture
    def store(self) -> Iterator[BlobStore]:
        """Give an empty store."""
        yield BlobStore(MemoryDriver(part_size=10))


def test_it_is_as_poor_as_s3() -> None:
    """No files, no reading before the commit, and parts of the minimum size but the last."""
    driver = MemoryDriver(part_size=10)
    assert not isinstance(driver, LocalPath)
    assert BlobStore(driver).local_path("blobs/a") is None
    upload_id = new_id()
    writer = driver.begin(upload_id)
    assert not isinstance(writer, ReadBack)
    writer.write(memoryview(b"x" * 25))
    assert [len(part) for part in driver.parts[upload_id]] == [10, 10]
    writer.checkpoint()
    writer.close()
    assert driver.tails[upload_id] == {25: b"xxxxx"}
    assert list(driver.uploads()) == [upload_id]
