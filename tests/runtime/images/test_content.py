"""Blobs are whole or not there; what broke off goes on; a link leaves the other's file as it was."""

import os
import time
from pathlib import Path

import pytest

from runtime.errors import EngineError, NotFound
from runtime.images.content import PARTIAL_KEPT, Content
from storage.digest import Digest

DATA = b"blob" * 1000
DIGEST = Digest.of(DATA)


@pytest.fixture
def content(tmp_path: Path) -> Content:
    """An empty store."""
    return Content(tmp_path / "content")


def arriving(tmp_path: Path) -> list[Path]:
    """Blobs on their way in."""
    return list((tmp_path / "content" / "ingest").iterdir())


def test_a_blob_comes_in_and_is_read(content: Content, tmp_path: Path) -> None:
    with content.ingest(DIGEST) as ingest:
        ingest.write(DATA[:10])
        assert not content.has(DIGEST)
        ingest.write(memoryview(DATA)[10:])
        assert ingest.commit(size=len(DATA)) == DIGEST
    assert content.read(DIGEST, len(DATA)) == DATA and content.size(DIGEST) == len(DATA)
    assert b"".join(content.blocks(DIGEST, 7)) == DATA
    assert arriving(tmp_path) == [] and content.path(DIGEST).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA + b"x"])
def test_other_bytes_are_refused_and_gone(content: Content, tmp_path: Path, data: bytes) -> None:
    with content.ingest(DIGEST) as ingest, pytest.raises(EngineError, match="not of sha256"):
        ingest.write(data)
        ingest.commit()
    with content.ingest() as ingest, pytest.raises(EngineError, match="bytes, not"):
        ingest.write(data)
        ingest.commit(size=len(data) + 1)
    assert not content.has(DIGEST) and arriving(tmp_path) == []


def test_sha512_names_blobs_as_well(content: Content) -> None:
    digest = Digest.of(DATA, "sha512")
    with content.ingest(digest) as ingest:
        ingest.write(DATA)
        assert ingest.commit() == digest
    assert content.read(digest, len(DATA)) == DATA


def test_a_broken_off_download_goes_on(content: Content, tmp_path: Path) -> None:
    with content.ingest(DIGEST) as ingest:
        ingest.write(DATA[:1500])
    again = Content(tmp_path / "content")  # the next start of the engine
    with again.ingest(DIGEST) as ingest:
        assert ingest.offset == 1500 and b"".join(ingest.kept()) == DATA[:1500]
        ingest.write(DATA[1500:])
        ingest.commit()
    assert again.has(DIGEST)


def test_a_source_that_cannot_go_on_starts_anew(content: Content) -> None:
    with content.ingest(DIGEST) as ingest:
        ingest.write(b"other bytes")
    with content.ingest(DIGEST) as ingest:
        ingest.restart()
        assert ingest.offset == 0 and list(ingest.kept()) == []
        ingest.write(DATA)
        assert ingest.commit() == DIGEST


def test_two_at_once_do_not_share_a_partial_blob(content: Content, tmp_path: Path) -> None:
    with content.ingest(DIGEST) as one, content.ingest(DIGEST) as other:
        one.write(DATA[:5])
        other.write(DATA)
        assert other.commit() == DIGEST
        one.write(DATA[5:])
        assert one.commit() == DIGEST
    assert arriving(tmp_path) == []


def test_only_downloads_of_late_are_kept_over_a_start(content: Content, tmp_path: Path) -> None:
    place = tmp_path / "content" / "ingest"
    old, fresh, nameless = place / "sha256-aa", place / "sha256-bb", place / "0123"
    for path in (old, fresh, nameless):
        path.write_bytes(b"x")
    long_ago = time.time() - PARTIAL_KEPT - 60
    os.utime(old, (long_ago, long_ago))
    Content(tmp_path / "content")
    assert arriving(tmp_path) == [fresh]


def test_a_damaged_or_long_blob_is_not_read(content: Content) -> None:
    content.add(DATA)
    with pytest.raises(EngineError, match="more than 10 bytes"):
        content.read(DIGEST, 10)
    content.path(DIGEST).write_bytes(b"flipped")
    with pytest.raises(EngineError, match="damaged; pull the image again"):
        content.read(DIGEST, len(DATA))
    with pytest.raises(EngineError, match="not that of"):
        content.add(b"other", DIGEST)


def test_what_is_not_here_is_not_found(content: Content) -> None:
    for ask in (content.size, content.open, lambda digest: content.read(digest, 1)):
        with pytest.raises(NotFound, match="not found"):
            ask(DIGEST)
    assert content.remove(DIGEST) == 0


def test_a_link_shares_the_other_s_file_and_changes_nothing_of_it(content: Content, tmp_path: Path) -> None:
    source = tmp_path / "other"
    source.write_bytes(DATA)
    source.chmod(0o444)
    before = source.stat()
    with source.open("rb") as file:
        assert content.link(DIGEST, file)
    assert content.path(DIGEST).samefile(source) and content.total() == 0
    assert content.remove(DIGEST) == 0  # nothing is given back: the bytes are the other's
    after = source.stat()
    assert (after.st_mode, after.st_uid, after.st_mtime_ns, after.st_nlink) == (
        *(before.st_mode, before.st_uid, before.st_mtime_ns),
        1,
    )


def test_a_file_that_cannot_be_linked_is_copied(content: Content, tmp_path: Path) -> None:
    source = Path("/dev/shm") / f"moorage-{os.getpid()}"
    source.write_bytes(DATA)
    try:
        if source.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("one file system for everything")
        with source.open("rb") as file:
            assert not content.link(DIGEST, file)
            assert not content.link(DIGEST, file)  # it is here
    finally:
        source.unlink()
    assert content.read(DIGEST, len(DATA)) == DATA and arriving(tmp_path) == []
    assert content.remove(DIGEST) == len(DATA)
