"""What storage does when the machine fails: the right error, nothing acknowledged lost, nothing left over.

Every call to the operating system on a push's way is made to fail once; a real file system is filled, and made
read-only; and the order of the commit's steps, on which all rests at a power cut, is read from the calls themselves.
"""

import ctypes
import errno
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from storage import durable
from storage.blobs import BlobStore, StoredBlob
from storage.digest import Digest
from storage.errors import Full, NotFound, ReadOnly, StorageError, Unavailable
from storage.filesystem import FilesystemDriver
from storage.layout import Layout
from tests.storage.broken_os import Machine, open_files

FIRST, SECOND = b"first" * 100, b"second" * 100
CONTENT = Digest.of(FIRST + SECOND)
ERRORS = {
    errno.ENOSPC: Full,
    errno.EDQUOT: Full,
    errno.EROFS: ReadOnly,
    errno.EIO: Unavailable,
    errno.EMFILE: Unavailable,
}

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc/self/fd")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a fresh data directory."""
    return Layout.open(tmp_path / "data", create=True).root


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine that does not fail yet."""
    return Machine(monkeypatch)


def push(store: BlobStore, upload_id: str, rows: list[str]) -> StoredBlob:
    """Push in two chunks and a commit, as a server does; `rows` is its catalog."""
    with store.begin(upload_id) as writer:
        writer.write(FIRST)
        state = writer.checkpoint()
    with store.resume(upload_id, lambda: state) as writer:
        writer.write(SECOND)
        stored = writer.commit(CONTENT)
        rows.append(stored.key)
        writer.abort()
    return stored


def sweep(store: BlobStore, rows: list[str]) -> None:
    """Remove what uploads left, as a server does."""
    for upload_id in store.uploads():
        store.settle(upload_id, lambda key: key in rows)
        store.discard(upload_id, None)


def kept(root: Path) -> list[str]:
    """List everything that is under a key or belongs to an upload."""
    return [
        str(path.relative_to(root))
        for part in ("blobs", "uploads")
        for path in (root / part).rglob("*")
        if path.is_file()
    ]


@needs_proc
@pytest.mark.parametrize("number", sorted(ERRORS), ids=lambda number: errno.errorcode[number])
def test_each_call_of_a_push_fails_once(root: Path, machine: Machine, number: int) -> None:
    store = BlobStore(FilesystemDriver(root, reserve=0))
    failing = calls = 0
    while failing <= calls:
        failing += 1
        store = BlobStore(FilesystemDriver(root, reserve=0))
        rows: list[str] = []
        machine.calls.clear()
        machine.fails = lambda call, name, path, at=failing: number if call == at else 0  # type: ignore[misc] # one more
        before = open_files()
        with machine.watching(), suppress(ERRORS[number]):
            push(store, uuid.uuid4().hex, rows)
        calls = len(machine.calls)
        assert open_files() == before, machine.calls[failing - 1 :]
        for key in rows:
            assert b"".join(store.read(key)) == FIRST + SECOND
        sweep(store, rows)
        assert kept(root) == rows, machine.calls[failing - 1 :]
        for key in rows:
            store.delete(key)
    assert calls > 20


@needs_proc
@pytest.mark.parametrize("number", sorted(ERRORS), ids=lambda number: errno.errorcode[number])
def test_all_calls_from_one_on_fail(root: Path, machine: Machine, number: int) -> None:
    """The disk fails and stays so until the process is gone; the next one tidies up."""
    failing = calls = 0
    while failing <= calls:
        failing += 1
        rows: list[str] = []
        machine.calls.clear()
        machine.fails = lambda call, name, path, at=failing: number if call >= at else 0  # type: ignore[misc] # as above
        with machine.watching(), suppress(ERRORS[number]):
            push(BlobStore(FilesystemDriver(root, reserve=0)), uuid.uuid4().hex, rows)
        calls = len(machine.calls)
        store = BlobStore(FilesystemDriver(root, reserve=0))
        for key in rows:
            assert b"".join(store.read(key)) == FIRST + SECOND
        sweep(store, rows)
        assert kept(root) == rows, machine.calls[failing - 1 :]
        for key in rows:
            store.delete(key)


@needs_proc
def test_order_of_a_commit(root: Path, machine: Machine) -> None:
    """Bytes, their name, the directories, the link, the directory of the link: each durable before the next."""
    upload_id = uuid.uuid4().hex
    store = BlobStore(FilesystemDriver(root))
    with store.begin(upload_id) as writer:
        writer.write(FIRST + SECOND)
        with machine.watching():
            stored = writer.commit(CONTENT)
            writer.abort()
    shard = root / "blobs" / "sha256" / CONTENT.encoded[:2]
    steps = [call for call in machine.calls if call[0] in ("fsync", "mkdir", "link", "unlink")]
    assert steps == [
        ("fsync", str(root / "uploads" / upload_id)),
        ("fsync", str(root / "uploads")),
        ("mkdir", str(root / "blobs")),
        ("fsync", str(root)),
        ("mkdir", str(root / "blobs" / "sha256")),
        ("fsync", str(root / "blobs")),
        ("mkdir", str(shard)),
        ("fsync", str(shard.parent)),
        ("link", str(root / stored.key)),
        ("fsync", str(shard)),
        ("unlink", str(root / "uploads" / upload_id)),
    ]


@needs_proc
def test_order_of_a_commit_in_a_known_shard(root: Path, machine: Machine) -> None:
    """The second commit syncs neither parents nor what a checkpoint has made durable already."""
    store = BlobStore(FilesystemDriver(root))
    push(store, uuid.uuid4().hex, [])
    upload_id = uuid.uuid4().hex
    with store.begin(upload_id) as writer:
        writer.write(FIRST + SECOND)
        writer.checkpoint()
        with machine.watching():
            stored = writer.commit(CONTENT)
            writer.abort()
    steps = [name for name, _ in machine.calls if name in ("fsync", "mkdir", "link", "unlink")]
    assert steps == ["link", "fsync", "unlink"]
    with machine.watching():
        machine.calls.clear()
        store.delete(stored.key)
    assert [name for name, _ in machine.calls] == ["unlink", "open", "fsync", "close"]


@needs_proc
@pytest.mark.parametrize("where", ["file", "uploads", "shard"])
def test_failed_fsync_is_final(root: Path, machine: Machine, where: str) -> None:
    """What may not be on the disk is neither resumed nor published."""
    upload_id = uuid.uuid4().hex
    store = BlobStore(FilesystemDriver(root))
    state = store.begin(upload_id).suspend()
    shard = root / "blobs" / "sha256" / CONTENT.encoded[:2]
    place = {"file": root / "uploads" / upload_id, "uploads": root / "uploads", "shard": shard}[where]
    machine.fails = lambda _number, name, path: errno.EIO if (name, path) == ("fsync", str(place)) else 0
    with store.resume(upload_id, lambda: state) as writer, machine.watching():
        writer.write(FIRST + SECOND)
        with pytest.raises(Unavailable, match="EIO"):
            writer.commit(CONTENT)
        with pytest.raises(RuntimeError, match="dead"):
            writer.checkpoint()
        assert sum(call == ("fsync", str(place)) for call in machine.calls) == 1
    assert not list(shard.iterdir() if shard.exists() else ())
    assert (root / "uploads" / upload_id).exists() == (where == "shard")


@needs_proc
def test_failed_fsync_takes_earlier_checkpoints_with_it(root: Path, machine: Machine) -> None:
    """After a failed fsync the kernel may have dropped any page of the file, so none of it is trusted again."""
    upload_id = uuid.uuid4().hex
    store = BlobStore(FilesystemDriver(root))
    state = store.begin(upload_id).suspend()
    with store.resume(upload_id, lambda: state) as writer:
        writer.write(FIRST)
        state = writer.checkpoint()
        writer.write(SECOND)
        machine.fails = lambda _number, name, _path: errno.EIO if name == "fsync" else 0
        with machine.watching(), pytest.raises(Unavailable):
            writer.checkpoint()
    with pytest.raises(NotFound):
        store.resume(upload_id, lambda: state)


@needs_proc
def test_file_that_was_cut_back_is_synced_before_it_is_published(root: Path, machine: Machine) -> None:
    upload_id = uuid.uuid4().hex
    store = BlobStore(FilesystemDriver(root))
    with store.begin(upload_id) as writer:
        writer.write(FIRST)
        state = writer.checkpoint()
        writer.write(SECOND)
        writer.checkpoint()
    with store.resume(upload_id, lambda: state) as writer:
        with machine.watching():
            writer.commit(Digest.of(FIRST))
        writer.abort()
    assert machine.calls[0] == ("fsync", str(root / "uploads" / upload_id))


@needs_proc
def test_key_that_cannot_be_taken_back_is_settled_later(root: Path, machine: Machine) -> None:
    upload_id = uuid.uuid4().hex
    store = BlobStore(FilesystemDriver(root))
    shard = root / "blobs" / "sha256" / CONTENT.encoded[:2]
    broken = {("fsync", str(shard)), ("unlink", str(shard / f"{CONTENT.encoded}.{upload_id}"))}
    machine.fails = lambda _number, name, path: errno.EIO if (name, path) in broken else 0
    with store.begin(upload_id) as writer, machine.watching():
        writer.write(FIRST + SECOND)
        with pytest.raises(Unavailable):
            writer.commit(CONTENT)
    assert len(store.published(upload_id, None)) == 1
    sweep(store, [])
    assert kept(root) == []


@needs_proc
def test_write_that_takes_only_a_part_is_gone_on_with(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data[:7])))
    store = BlobStore(FilesystemDriver(root))
    stored = push(store, uuid.uuid4().hex, [])
    assert b"".join(store.read(stored.key)) == FIRST + SECOND


def test_reading_fails_as_an_error_of_storage(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = BlobStore(FilesystemDriver(root))
    key = push(store, uuid.uuid4().hex, []).key

    def fail(*_arguments: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        with pytest.raises(Unavailable, match="EIO"):
            list(store.read(key))
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        with pytest.raises(Unavailable):
            store.read(key)
    assert b"".join(store.read(key)) == FIRST + SECOND


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_health_of_a_place_that_cannot_be_written(root: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    driver = FilesystemDriver(root)

    def fail(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fail)
    health = driver.health()
    assert not health.writable
    assert health.problem is not None
    assert os.strerror(number) in health.problem


def test_health_where_nameless_files_are_unknown(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "open", fail)
    assert FilesystemDriver(root).health().writable


def test_health_when_only_the_reserve_is_left(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FilesystemDriver(root)
    status = os.statvfs(root)
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result((*status[:4], 10, *status[5:])))
    health = driver.health()
    assert (health.writable, health.free_bytes) == (False, 10 * status.f_frsize)
    assert health.problem is not None
    assert "reserve" in health.problem
    with pytest.raises(Full):
        driver.begin(uuid.uuid4().hex)
    with pytest.raises(Full):
        driver.resume(uuid.uuid4().hex, lambda: (0, b""))


def test_without_early_writeback_nothing_else_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    durable._sync_file_range.cache_clear()
    try:
        store = BlobStore(FilesystemDriver(root))
        data = bytes(9 << 20)
        with store.begin(uuid.uuid4().hex) as writer:
            writer.write(data)
            stored = writer.commit(Digest.of(data))
            writer.abort()
        assert store.stat(stored.key) == len(data)
    finally:
        durable._sync_file_range.cache_clear()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a real file system of 16 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=64", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_full_disk(small_disk: Path) -> None:
    """A full disk is Full; what was safe stays safe, and pushes go on when there is space again."""
    root = Layout.open(small_disk / "data", create=True).root
    store = BlobStore(FilesystemDriver(root, reserve=0))
    block = bytes(1 << 20)
    safe = push(store, uuid.uuid4().hex, [])
    with store.begin(uuid.uuid4().hex) as writer:
        writer.write(block)
        state = writer.checkpoint()
        with pytest.raises(Full):
            for _ in range(20):
                writer.write(block)
    with store.resume(writer.upload_id, lambda: state) as again:  # closing gave the space back
        again.write(block)
        stored = again.commit(Digest.of(block + block))
        again.abort()
    assert b"".join(store.read(stored.key)) == block + block
    assert b"".join(store.read(safe.key)) == FIRST + SECOND
    filler = small_disk / "filler"
    with suppress(OSError):
        filler.write_bytes(bytes(20 << 20))
    assert not store.health().writable
    with pytest.raises(Full):
        store.begin(uuid.uuid4().hex)
    assert b"".join(store.read(safe.key)) == FIRST + SECOND
    store.delete(stored.key)
    filler.unlink()
    assert store.health().writable
    push(store, uuid.uuid4().hex, [])


def test_reserve_stays_free(small_disk: Path) -> None:
    root = Layout.open(small_disk / "data", create=True).root
    store = BlobStore(FilesystemDriver(root))
    with store.begin(uuid.uuid4().hex) as writer:
        with pytest.raises(Full, match="reserve"):
            while True:
                writer.write(bytes(64 << 10))
        status = os.statvfs(root)
        free, reserve = status.f_bavail * status.f_frsize, (16 << 20) // 20
        assert reserve <= free <= reserve + (128 << 10)


def test_no_inodes_left(small_disk: Path) -> None:
    root = Layout.open(small_disk / "data", create=True).root
    store = BlobStore(FilesystemDriver(root, reserve=0))
    safe = push(store, uuid.uuid4().hex, [])
    with suppress(OSError):
        for number in range(100):
            (small_disk / str(number)).touch()
    with pytest.raises(Full):
        push(store, uuid.uuid4().hex, [])
    assert not store.health().writable
    assert b"".join(store.read(safe.key)) == FIRST + SECOND
    for number in range(100):
        (small_disk / str(number)).unlink(missing_ok=True)
    push(store, uuid.uuid4().hex, [])
    sweep(store, [])
    assert list((root / "uploads").iterdir()) == []


def test_read_only_disk(small_disk: Path) -> None:
    root = Layout.open(small_disk / "data", create=True).root
    store = BlobStore(FilesystemDriver(root, reserve=0))
    safe = push(store, uuid.uuid4().hex, [])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ReadOnly):
        push(store, uuid.uuid4().hex, [])
    with pytest.raises(ReadOnly):
        store.delete(safe.key)
    health = store.health()
    assert not health.writable
    assert "Read-only" in (health.problem or "")
    assert b"".join(store.read(safe.key)) == FIRST + SECOND
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    push(store, uuid.uuid4().hex, [])


def test_place_that_vanished_is_unavailable_not_empty(root: Path) -> None:
    """A volume that is not mounted must not look like uploads that never were."""
    store = BlobStore(FilesystemDriver(root))
    upload_id = uuid.uuid4().hex
    state = store.begin(upload_id).suspend()
    (root / "uploads").rmdir()
    with pytest.raises(Unavailable):
        store.resume(upload_id, lambda: state)
    with pytest.raises(Unavailable):
        list(store.uploads())
    with pytest.raises(StorageError) as caught:
        push(store, upload_id, [])
    assert not isinstance(caught.value, NotFound)


@needs_proc
def test_repeated_commit_that_fails_leaves_the_key_that_a_row_may_name(root: Path, machine: Machine) -> None:
    upload_id = uuid.uuid4().hex
    store = BlobStore(FilesystemDriver(root))
    with store.begin(upload_id) as writer:
        writer.write(FIRST + SECOND)
        state = writer.checkpoint()
        stored = writer.commit(CONTENT)  # its row is committed, and then the process dies
    shard = root / "blobs" / "sha256" / CONTENT.encoded[:2]
    machine.fails = lambda _number, name, path: errno.EIO if (name, path) == ("fsync", str(shard)) else 0
    with store.resume(upload_id, lambda: state) as writer, machine.watching(), pytest.raises(Unavailable):
        writer.commit(CONTENT)
    sweep(store, [stored.key])
    assert kept(root) == [stored.key]
