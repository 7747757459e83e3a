"""What a power cut leaves rests on the order of a few calls and on never trusting a failed fsync: both are read here.

The power cuts themselves are in tests/faults.
"""

import errno
import os
import uuid
from pathlib import Path

import pytest

from storage.blobs import BlobStore
from storage.digest import Digest
from storage.errors import NotFound, Unavailable
from storage.filesystem import FilesystemDriver
from tests.storage.broken_os import Machine
from tests.storage.pushes import CONTENT, FIRST, SECOND, kept, push, sweep

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc/self/fd")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine that does not fail yet."""
    return Machine(monkeypatch)


@needs_proc
def test_order_of_a_commit(root: Path, machine: Machine) -> None:
    """Bytes, the directories, the link, the directory of the link: each durable before the next."""
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
@pytest.mark.parametrize("where", ["file", "shard"])
def test_failed_fsync_of_a_commit_is_final(root: Path, machine: Machine, where: str) -> None:
    """What may not be on the disk is neither resumed nor published."""
    upload_id = uuid.uuid4().hex
    store = BlobStore(FilesystemDriver(root))
    state = store.begin(upload_id).suspend()
    shard = root / "blobs" / "sha256" / CONTENT.encoded[:2]
    place = {"file": root / "uploads" / upload_id, "shard": shard}[where]
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
def test_order_of_checkpoints(root: Path, machine: Machine) -> None:
    """Bytes, and once their name."""
    upload_id = uuid.uuid4().hex
    file, directory = ("fsync", str(root / "uploads" / upload_id)), ("fsync", str(root / "uploads"))
    store = BlobStore(FilesystemDriver(root))
    with machine.watching():
        with store.begin(upload_id) as writer:
            for _ in range(2):
                writer.write(FIRST)
                state = writer.checkpoint()
        with store.resume(upload_id, lambda: state) as writer:
            writer.checkpoint()
            writer.write(SECOND)
            writer.checkpoint()
    assert [call for call in machine.calls if call[0] == "fsync"] == [file, directory, file, file]


@needs_proc
@pytest.mark.parametrize("where", ["file", "uploads"])
def test_failed_fsync_of_a_checkpoint_is_final(root: Path, machine: Machine, where: str) -> None:
    upload_id = uuid.uuid4().hex
    store = BlobStore(FilesystemDriver(root))
    place = {"file": root / "uploads" / upload_id, "uploads": root / "uploads"}[where]
    machine.fails = lambda _number, name, path: errno.EIO if (name, path) == ("fsync", str(place)) else 0
    with store.begin(upload_id) as writer, machine.watching():
        writer.write(FIRST)
        with pytest.raises(Unavailable):
            writer.checkpoint()
    assert list(store.uploads()) == []


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
