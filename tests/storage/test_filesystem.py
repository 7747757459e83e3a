"""The filesystem driver keeps every promise, privately, in the layout that operators are told of."""

import fcntl
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.blobs import BlobStore
from storage.digest import Digest
from storage.driver import Driver, LocalPath
from storage.errors import Busy, NotFound, Unavailable
from storage.filesystem import FilesystemDriver
from tests.storage.driver_contract import DriverContract
from tests.storage.steps import publish
from tests.storage.store_contract import BlobStoreContract


class TestFilesystemDriver(DriverContract):
    """The contract on files."""

    @pytest.fixture
    def driver(self, root: Path) -> Iterator[Driver]:
        """Give an empty driver."""
        yield FilesystemDriver(root, reserve=0)


class TestFilesystemStore(BlobStoreContract):
    """The store over it."""

    @pytest.fixture
    def store(self, root: Path) -> Iterator[BlobStore]:
        """Give an empty store."""
        yield BlobStore(FilesystemDriver(root, reserve=0))


@pytest.fixture
def driver(root: Path) -> FilesystemDriver:
    """Give an empty driver."""
    return FilesystemDriver(root, reserve=0)


@pytest.fixture
def store(driver: FilesystemDriver) -> BlobStore:
    """Give an empty store."""
    return BlobStore(driver)


def test_layout_modes_and_local_path(root: Path, store: BlobStore, driver: FilesystemDriver) -> None:
    """Files are 0600 and directories 0700 whatever the umask; a blob is at the path that its key says."""
    upload_id = uuid.uuid4().hex
    before = os.umask(0)
    try:
        with store.begin(upload_id) as writer:
            writer.write(b"abc")
            assert stat.S_IMODE((root / "uploads" / upload_id).stat().st_mode) == 0o600
            stored = writer.commit(Digest.of(b"abc"))
            writer.abort()
    finally:
        os.umask(before)
    digest = Digest.of(b"abc").encoded
    assert stored.key == f"blobs/sha256/{digest[:2]}/{digest}.{upload_id}"
    assert isinstance(driver, LocalPath)
    path = store.local_path(stored.key)
    assert path == root / stored.key
    assert path.read_bytes() == b"abc"
    assert path.stat().st_nlink == 1
    for directory, _, files in os.walk(root):
        assert stat.S_IMODE(Path(directory).stat().st_mode) == 0o700
        assert {stat.S_IMODE((Path(directory) / name).stat().st_mode) for name in files} <= {0o600}


def test_another_process_is_busy_too(root: Path, store: BlobStore) -> None:
    """The hold is a lock of the kernel's, so it is for all processes, and goes with the one that has it."""
    upload_id = uuid.uuid4().hex
    state = store.begin(upload_id).suspend()
    with store.resume(upload_id, lambda: state) as writer:
        writer.write(b"abc")
        state = writer.suspend()
    script = "import fcntl, sys; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX); print('held'); input()"
    command = [sys.executable, "-uc", script, str(root / "uploads" / upload_id)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Busy):
            store.resume(upload_id, lambda: state)
        other.communicate("\n")
    store.resume(upload_id, lambda: state).close()


def test_bytes_of_a_killed_process_are_undone(root: Path, store: BlobStore) -> None:
    """A killed writer cannot clean up: what it wrote after the suspend is still there, and goes at the resume."""
    upload_id = uuid.uuid4().hex
    with store.begin(upload_id) as writer:
        writer.write(b"kept")
        state = writer.suspend()
    with (root / "uploads" / upload_id).open("ab") as file:
        file.write(b"garbage")
    with store.resume(upload_id, lambda: state) as writer:
        writer.write(b"!")
        stored = writer.commit(Digest.of(b"kept!"))
        writer.abort()
    assert b"".join(store.read(stored.key)) == b"kept!"


def test_closing_gives_back_the_space_of_what_nobody_can_resume(root: Path, store: BlobStore) -> None:
    upload_id = uuid.uuid4().hex
    path = root / "uploads" / upload_id
    with store.begin(upload_id) as writer:
        writer.write(bytes(100))
    assert not path.exists()
    with store.begin(upload_id) as writer:
        writer.write(bytes(100))
        state = writer.suspend()
    with store.resume(upload_id, lambda: state) as writer:
        writer.write(bytes(1000))
        assert path.stat().st_size == 1100
    assert path.stat().st_size == 100


def test_file_that_lost_bytes_is_not_resumed(root: Path, store: BlobStore) -> None:
    upload_id = uuid.uuid4().hex
    with store.begin(upload_id) as writer:
        writer.write(b"abc")
        state = writer.suspend()
    os.truncate(root / "uploads" / upload_id, 2)
    with pytest.raises(NotFound):
        store.resume(upload_id, lambda: state)


def test_file_that_changes_length_under_the_writer_is_not_published(root: Path, store: BlobStore) -> None:
    upload_id = uuid.uuid4().hex
    with store.begin(upload_id) as writer:
        writer.write(b"abc")
        os.truncate(root / "uploads" / upload_id, 2)
        with pytest.raises(Unavailable):
            writer.commit(Digest.of(b"abc"))
        with pytest.raises(RuntimeError, match="dead"):
            writer.write(b"d")
    with store.begin(uuid.uuid4().hex) as writer:
        writer.write(b"abc")
        os.truncate(root / "uploads" / writer.upload_id, 2)
        with pytest.raises(Unavailable):
            writer.commit(Digest.of(b"abc", "sha512"))


def test_blob_that_was_cut_is_never_read_short(root: Path, driver: FilesystemDriver) -> None:
    key = publish(driver, bytes(3 << 20))
    blocks = driver.read(key, 0, None)
    next(blocks)
    os.truncate(root / key, 2 << 20)
    next(blocks)
    with pytest.raises(Unavailable):
        next(blocks)


def test_symbolic_link_in_place_of_an_upload_is_not_followed(root: Path, store: BlobStore, tmp_path: Path) -> None:
    upload_id = uuid.uuid4().hex
    state = store.begin(upload_id).suspend()
    (root / "uploads" / upload_id).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable):
        store.resume(upload_id, lambda: state)
    assert not (tmp_path / "elsewhere").exists()


def test_key_that_is_another_file_is_left_alone(root: Path, store: BlobStore) -> None:
    upload_id = uuid.uuid4().hex
    digest = Digest.of(b"abc")
    target = root / "blobs" / "sha256" / digest.encoded[:2] / f"{digest.encoded}.{upload_id}"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"other")
    with store.begin(upload_id) as writer:
        writer.write(b"abc")
        with pytest.raises(Unavailable, match="another file"):
            writer.commit(digest)
    assert target.read_bytes() == b"other"


def test_second_link_that_is_no_key_is_no_key(root: Path, store: BlobStore) -> None:
    """Backups made of hard links do not turn an upload into a blob, and are not written through."""
    upload_id = uuid.uuid4().hex
    with store.begin(upload_id) as writer:
        writer.write(b"abc")
        state = writer.suspend()
    digest = Digest.of(b"abc")
    twin = root / "blobs" / "sha256" / digest.encoded[:2] / f"{digest.encoded}.{upload_id}"
    twin.parent.mkdir(parents=True)
    twin.write_bytes(b"not the same file")
    os.link(root / "uploads" / upload_id, root / "backup")
    assert store.published(upload_id, state) == ()


def test_only_uploads_are_named(root: Path, store: BlobStore) -> None:
    (root / "uploads" / "notes.txt").touch()
    assert list(store.uploads()) == []


def test_foreign_keys_are_read_where_they_are(root: Path, store: BlobStore) -> None:
    path = root / "docker" / "registry" / "v2" / "blobs" / "sha256" / "ab" / "data"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"adopted")
    assert b"".join(store.read("docker/registry/v2/blobs/sha256/ab/data")) == b"adopted"


def test_key_of_an_earlier_commit_under_another_digest_is_left_to_the_sweep(root: Path, store: BlobStore) -> None:
    """The client came back after a crash and named the same bytes by another algorithm: nothing may leak."""
    upload_id = uuid.uuid4().hex
    with store.begin(upload_id) as writer:
        writer.write(b"abc")
        state = writer.suspend()
    with store.resume(upload_id, lambda: state) as writer:
        first = writer.commit(Digest.of(b"abc", "sha512"))
    with store.resume(upload_id, lambda: state) as writer:
        second = writer.commit(Digest.of(b"abc"))
        writer.abort()
    assert list(store.uploads()) == [upload_id]
    assert store.settle(upload_id, lambda key: key == second.key) == (second.key,)
    store.discard(upload_id, None)
    with pytest.raises(NotFound):
        store.stat(first.key)
    assert b"".join(store.read(second.key)) == b"abc"


@pytest.mark.parametrize("call", ["resume", "discard"])
def test_upload_that_is_removed_while_it_is_opened(
    root: Path, store: BlobStore, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Another process removes the file between our open and our lock: a file that has no name is not written to."""
    upload_id = uuid.uuid4().hex
    with store.begin(upload_id) as writer:
        writer.write(b"abc")
        state = writer.suspend()
    flock = fcntl.flock

    def removed_first(fd: int, operation: int) -> None:
        (root / "uploads" / upload_id).unlink(missing_ok=True)
        monkeypatch.undo()
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    if call == "discard":
        store.discard(upload_id, state)
    else:
        with pytest.raises(NotFound):
            store.resume(upload_id, lambda: state)
    assert list(store.uploads()) == []


def test_begin_of_an_id_that_was_used_spoils_nothing(store: BlobStore) -> None:
    upload_id = uuid.uuid4().hex
    with store.begin(upload_id) as writer:
        writer.write(b"abc")
        state = writer.suspend()
    with store.begin(upload_id) as writer, pytest.raises(Busy):
        writer.write(b"xyz")
    with store.resume(upload_id, lambda: state) as writer:
        stored = writer.commit(Digest.of(b"abc"))
        writer.abort()
    assert b"".join(store.read(stored.key)) == b"abc"


def test_published_empty_blob_is_not_forgotten_by_a_resume_that_fails(store: BlobStore) -> None:
    """Its upload is as empty as one that was just made, but a key has it, which only this name leads to."""
    upload_id = uuid.uuid4().hex
    with store.begin(upload_id) as writer:
        key = writer.commit(Digest.of(b"")).key

    def unknown() -> bytes:
        raise LookupError

    with pytest.raises(LookupError):
        store.resume(upload_id, unknown)
    assert store.published(upload_id, None) == (key,)
