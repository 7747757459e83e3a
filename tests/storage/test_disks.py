"""Real file systems that are full, out of inodes, or read-only."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from storage.blobs import BlobStore
from storage.digest import Digest
from storage.errors import Full, ReadOnly
from storage.filesystem import FilesystemDriver
from storage.layout import Layout
from tests.storage.pushes import FIRST, SECOND, push, sweep


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
