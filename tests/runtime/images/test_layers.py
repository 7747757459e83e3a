"""Layers become what the image-spec and overlayfs say, survive restarts, and stay while somebody holds them."""

import gzip
import os
import stat
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.errors import NotFound
from runtime.images import arrivals
from storage.digest import Digest
from tests.runtime.images.conftest import Store, open_store
from tests.runtime.images.tars import blocks, device, directory, file, hardlink, member, pax, symlink, tar

OPAQUE = "trusted.overlay.opaque"


def unpacked(store: Store, *members: bytes) -> Path:
    """Unpack a layer and return its directory."""
    data = tar(*members)
    return store.layers.path(store.layers.unpack(Digest.of(data), iter(blocks(data))).diff_id)


def is_whiteout(path: Path) -> bool:
    """Tell whether overlayfs would hide the name below."""
    status = path.lstat()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def test_files_are_as_the_archive_says(store: Store) -> None:
    root = unpacked(
        store,
        directory("./", mtime=5),
        member("d", tarfile.DIRTYPE, mode=0o1777, uid=7, gid=8, mtime=10),
        file("d/f", b"hello", mode=0o6751, uid=1000, gid=1001, mtime=11),
        pax({b"mtime": b"12.123456789", b"SCHILY.xattr.user.key": b"\xff\0=\n"}, file("d/exact")),
        pax({b"SCHILY.xattr.security.capability": bytes.fromhex("0100000200040000" + "00" * 12)}, file("capable")),
        symlink("d/link", "/etc/passwd"),
        hardlink("d/again", "/d/f"),
        device("null", tarfile.CHRTYPE, 1, 3),
        device("disk", tarfile.BLKTYPE, 8, 0),
        member("pipe", tarfile.FIFOTYPE, mode=0o600),
        file("implied/parents/f"),
        file("ünï/☃"),
    )
    status = (root / "d/f").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime) == (0o6751, 1000, 1001, 11)
    assert status.st_nlink == 2 and (root / "d/again").read_bytes() == b"hello"
    status = (root / "d").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime) == (0o1777, 7, 8, 10)
    assert (root / "d/exact").stat().st_mtime_ns == 12_123_456_789
    assert os.getxattr(root / "d/exact", "user.key") == b"\xff\0=\n"
    assert len(os.getxattr(root / "capable", "security.capability")) == 20
    assert (root / "d/link").readlink() == Path("/etc/passwd")
    assert (root / "null").stat().st_rdev == os.makedev(1, 3) and (root / "pipe").is_fifo()
    assert stat.S_ISBLK((root / "disk").stat().st_mode)
    assert stat.S_IMODE((root / "implied").stat().st_mode) == 0o755
    assert (root / "ünï/☃").is_file() and root.stat().st_mtime == 5


def test_the_later_entry_wins(store: Store) -> None:
    root = unpacked(
        store, file("a", b"1"), file("b/c"), file("a", b"2", mode=0o600), directory("b", uid=3), file("b/c", b"x")
    )
    assert (root / "a").read_bytes() == b"2" and stat.S_IMODE((root / "a").stat().st_mode) == 0o600
    assert (root / "b").stat().st_uid == 3 and (root / "b/c").read_bytes() == b"x"


def test_whiteouts_hide_what_is_below(store: Store) -> None:
    root = unpacked(store, file(".wh.gone", b""), file("d/.wh.too", b""), directory("o"), file("o/.wh..wh..opq", b""))
    assert is_whiteout(root / "gone") and is_whiteout(root / "d/too")
    assert os.getxattr(root / "o", OPAQUE) == b"y" and not (root / "o/.wh..wh..opq").exists()


def test_whiteouts_do_not_hide_what_their_own_layer_brings(store: Store) -> None:
    root = unpacked(
        store,
        *(file(".wh.f", b""), file("f")),
        *(file("g"), file(".wh.g", b"")),
        *(file(".wh.d", b""), directory("d"), file("d/f")),
        *(file("e/f"), file(".wh.e", b"")),
        *(file(".wh.i", b""), file("i/f")),
    )
    assert all((root / name).is_file() for name in ("f", "g", "d/f", "e/f", "i/f"))
    assert all(os.getxattr(root / name, OPAQUE) == b"y" for name in ("d", "e", "i"))


def test_an_ordinary_user_s_overlay_has_marks_of_its_own(tmp_path: Path, store: Store) -> None:
    other = open_store(tmp_path / "rootless", userxattr=True)
    root = unpacked(other, directory("o"), file("o/.wh..wh..opq", b""))
    assert os.getxattr(root / "o", "user.overlay.opaque") == b"y"
    other.layers.close()


def test_lower_directories_are_short_and_the_topmost_comes_first(store: Store) -> None:
    ids = [store.layers.unpack(None, iter([tar(file(name))])).diff_id for name in "abc"]
    found = store.layers.lowerdirs([ids[0], ids[1], ids[0], ids[2]])
    assert [next((store.data / link).iterdir()).name for link in found] == ["c", "a", "b"]
    assert all(len(link) == len("l/") + 16 for link in found)
    assert len(set(store.layers.lowerdirs(ids))) == 3
    with pytest.raises(NotFound, match="pull its image again"):
        store.layers.lowerdirs([Digest.of(b"none")])


def test_a_layer_that_is_here_is_not_read_again(store: Store) -> None:
    data = tar(file("f"))
    first = store.layers.unpack(Digest.of(data), iter([data]))
    assert store.layers.unpack(Digest.of(data), iter(())) == first
    assert store.layers.unpack(None, iter([data])) == first and store.remains() == []


def test_layers_are_found_by_the_next_start(store: Store) -> None:
    root = unpacked(store, file("f", b"12345"))
    before = store.layers.all()
    again = store.reopened()
    assert again.layers.all() == before and before[0].size == 5
    assert again.layers.path(before[0].diff_id) == root
    assert (again.data / again.layers.lowerdirs([before[0].diff_id])[0] / "f").read_bytes() == b"12345"
    assert not (root.parent / "unsettled").exists()


def test_after_a_power_cut_a_layer_is_unpacked_again_from_its_bytes(store: Store) -> None:
    data = tar(file("f", b"right"))
    layer = arrivals.take(store.layers, store.content, Digest.of(data), iter([data]))
    store.layers.close()
    root = store.layers.path(layer.diff_id)
    (root / "f").write_bytes(b"wrong")  # what the disk did not get
    (root.parent / "unsettled").write_text("another boot")
    again = open_store(store.data)
    assert (again.layers.path(layer.diff_id) / "f").read_bytes() == b"right"
    assert again.layers.blob(layer.diff_id) == layer.blobs[0]
    again.layers.close()


def test_after_a_power_cut_a_layer_without_bytes_is_not_trusted(store: Store) -> None:
    root = unpacked(store, file("f"))
    store.layers.close()
    (root.parent / "unsettled").write_text("another boot")
    again = open_store(store.data)
    assert again.layers.all() == () and not root.exists() and list((store.data / "l").iterdir()) == []
    again.layers.close()


@pytest.mark.parametrize("damage", [b"", b"{}", b"[", b'{"diffId": "sha256:00"}'])
def test_a_damaged_record_costs_its_layer_only(store: Store, damage: bytes) -> None:
    root, other = unpacked(store, file("f")), unpacked(store, file("g"))
    (root.parent / "layer.json").write_bytes(damage)
    again = store.reopened()
    assert [again.layers.path(layer.diff_id) for layer in again.layers.all()] == [other]
    assert again.remains() == []


def test_a_held_layer_is_not_removed(store: Store) -> None:
    layer = store.layers.unpack(None, iter([tar(file("f"))]))
    store.layers.hold("pull", [layer.diff_id])
    store.layers.hold("container", [layer.diff_id])
    store.layers.release("pull")
    assert store.layers.remove(layer.diff_id) is None and store.layers.has(layer.diff_id)
    store.layers.release("container")
    assert store.layers.remove(layer.diff_id) == layer and not store.layers.has(layer.diff_id)
    assert store.layers.remove(layer.diff_id) is None
    assert store.remains() == [] and list((store.data / "l").iterdir()) == []


def test_a_layer_travels_in_the_form_in_which_it_came(store: Store) -> None:
    data = tar(file("f", b"x" * 10_000))
    packed = gzip.compress(data, 9)
    layer = arrivals.take(store.layers, store.content, Digest.of(data), iter([packed]))
    blob = store.layers.blob(layer.diff_id)
    assert blob is not None and blob.digest == Digest.of(packed) and blob.media_type.endswith("tar+gzip")
    assert b"".join(store.layers.archive(layer.diff_id)) == data
    store.content.remove(blob.digest)
    assert store.layers.blob(layer.diff_id) is None
    again = arrivals.take(store.layers, store.content, Digest.of(data), iter([data]))  # here, but not its bytes
    assert len(again.blobs) == 2 and b"".join(store.layers.archive(layer.diff_id)) == data


def test_a_layer_appears_together_with_its_bytes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.layers, "remember", killed)
    data = tar(file("f"))
    with pytest.raises(KeyboardInterrupt):
        arrivals.take(store.layers, store.content, Digest.of(data), iter([data]))
    again = store.reopened()
    assert again.layers.blob(Digest.of(data)) is not None
    again.layers.close()


def test_many_at_once_end_with_one_of_each(store: Store) -> None:
    tars = [tar(file(f"f{number}", bytes(number))) for number in range(3)]

    def take(number: int) -> Digest:
        data = tars[number % 3]
        return arrivals.take(store.layers, store.content, Digest.of(data), iter(blocks(data))).diff_id

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(take, range(16))) == {Digest.of(data) for data in tars}
    assert len(store.layers.all()) == 3 and store.remains() == []
    assert len(list((store.data / "l").iterdir())) == 3
    assert all(b"".join(store.layers.archive(Digest.of(data))) == data for data in tars)
