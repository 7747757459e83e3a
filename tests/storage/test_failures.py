"""What storage does when the machine fails: the right error, nothing acknowledged lost, nothing left over.

Every call to the operating system on a push's way is made to fail once, and then from one on for good.
"""

import ctypes
import errno
import os
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from storage import durable
from storage.blobs import BlobStore
from storage.digest import Digest
from storage.errors import Full, NotFound, ReadOnly, StorageError, Unavailable
from storage.filesystem import FilesystemDriver
from tests.storage.broken_os import Machine, open_files
from tests.storage.pushes import FIRST, SECOND, kept, push, sweep

ERRORS = {
    errno.ENOSPC: Full,
    errno.EDQUOT: Full,
    errno.EROFS: ReadOnly,
    errno.EIO: Unavailable,
    errno.EMFILE: Unavailable,
}

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc/self/fd")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine that does not fail yet."""
    return Machine(monkeypatch)


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
