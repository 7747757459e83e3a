"""`moorage gc`: what it tells, what it takes, and what it refuses."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from registry.catalog.catalog import Catalog
from registry.catalog.engine import connect
from registry.content.reception import ChunkRange, Reception
from registry.content.uploads import UploadLimits, Uploads
from registry.oci.names import RepositoryName
from storage.blobs import BlobStore
from storage.digest import Digest
from storage.filesystem import FilesystemDriver
from tests.cli.desk import Desk

LIMITS = UploadLimits(timedelta(hours=1), per_subject=99, blob_bytes=1_000_000)
CONTENTS = (b"one", b"twelve bytes")


@pytest.fixture
def garbage(desk: Desk) -> Iterator[Desk]:
    """A desk on data with two blobs that no manifest names, in two repositories."""
    catalog = Catalog(connect(f"sqlite:///{desk.data / 'moorage.db'}", pool_size=2))
    uploads = Uploads(
        catalog, {"files": BlobStore(FilesystemDriver(desk.data, reserve=0))}, store="files", limits=LIMITS
    )
    for number, content in enumerate(CONTENTS):
        name = RepositoryName.parse(f"team/app{number}")
        session = uploads.start(name, subject="ann")
        Reception(uploads, name, session, subject="ann", chunk=ChunkRange()).finish([content], Digest.of(content))
    catalog.close()
    yield desk


def test_it_tells_what_there_is_and_changes_nothing(garbage: Desk) -> None:
    asked = ("gc", "--dry-run", "--grace", "0s", "--i-know")
    for _ in range(2):
        assert garbage.json(*asked) == {"dry_run": True, "blobs": 2, "bytes": 15}
    assert garbage.ok(*asked).stdout == "2 blobs with 15 bytes would be collected\n"


def test_it_tells_what_it_freed_in_which_repository(garbage: Desk) -> None:
    assert garbage.json("gc", "--once") == {"blobs": 0, "bytes": 0, "keys_removed": 0, "repositories": {}}
    freed = garbage.json("gc", "--once", "--grace", "0s", "--i-know")
    assert freed["blobs"] == 2 and freed["repositories"] == {"team/app0": 3, "team/app1": 12}
    assert garbage.json("gc", "--once", "--grace", "0s", "--i-know")["blobs"] == 0


def test_it_tells_people_the_largest_first(garbage: Desk) -> None:
    lines = garbage.ok("gc", "--once", "--grace", "0s", "--i-know").stdout.splitlines()
    assert [line.split() for line in lines[:2]] == [["12", "team/app1"], ["3", "team/app0"]]
    assert lines[2] == "2 blobs with 15 bytes are collected"


def test_a_short_grace_has_to_be_meant(garbage: Desk) -> None:
    assert "--i-know collects all the same" in garbage.refused("gc", "--once", "--grace", "59m", status=2)


def test_it_does_nothing_by_itself(desk: Desk) -> None:
    assert "--once does it now" in desk.refused("gc", status=2)
