"""No layer gets out of its directory, takes more than its room, or leaves anything behind when it is refused."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import EngineError
from runtime.images.unpack import Limits, unpack
from storage.digest import Digest
from tests.runtime.images.conftest import Store
from tests.runtime.images.hostile import HARMLESS, REFUSED, Make
from tests.runtime.images.tars import blocks, directory, file, tar

ROOM = 2**26


def seen(directory: Path) -> dict[str, tuple[int, int, int, int, int, bytes, tuple[str, ...]]]:
    """All that could have been changed in a directory of the host."""
    found = {}
    for path in (directory, *directory.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        facts = (status.st_ino, status.st_mode, status.st_uid, status.st_nlink, status.st_mtime_ns)
        found[str(path)] = (*facts, content, tuple(os.listxattr(path)))
    return found


def beside(victim: Path) -> set[str]:
    """The names beside the victim: nothing may appear there."""
    return {path.name for path in victim.parent.iterdir()}


@pytest.mark.parametrize(("reason", "make"), REFUSED.values(), ids=REFUSED.keys())
def test_a_layer_is_refused(
    store: Store, victim: Path, reason: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.images.layers.room", lambda _: Limits(10_000, ROOM))
    before, neighbours, data = seen(victim), beside(victim), make(str(victim))
    with pytest.raises(EngineError, match=reason or None):
        store.layers.unpack(None, iter(blocks(data)))
    assert seen(victim) == before and beside(victim) == neighbours
    assert store.remains() == [] and store.layers.all() == () and list((store.data / "l").iterdir()) == []


@pytest.mark.parametrize("make", HARMLESS.values(), ids=HARMLESS.keys())
def test_a_layer_stays_inside(store: Store, victim: Path, make: Make) -> None:
    before, neighbours, data = seen(victim), beside(victim), make(str(victim))
    layer = store.layers.unpack(None, iter(blocks(data)))
    assert seen(victim) == before and beside(victim) == neighbours
    assert store.remains() == []
    assert layer.diff_id == Digest.of(data)


def test_a_layer_with_another_diff_id_is_refused(store: Store) -> None:
    with pytest.raises(EngineError, match="wrong diff id calculated on extraction"):
        store.layers.unpack(Digest.of(b"other"), iter(blocks(tar(file("f")))))
    assert store.remains() == [] and store.layers.all() == ()


def test_a_layer_of_too_many_entries_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.images.layers.room", lambda _: Limits(100, ROOM))
    with pytest.raises(EngineError, match="more entries than a layer may have"):
        store.layers.unpack(None, iter(blocks(tar(*(file(f"f{number}", b"") for number in range(101))))))
    assert store.remains() == []


def test_a_source_that_fails_leaves_nothing(store: Store) -> None:
    def broken() -> Iterator[bytes]:
        yield tar(file("f", bytes(10**6)))[:500_000]
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        store.layers.unpack(None, broken())
    assert store.remains() == []


def test_attributes_that_would_lead_overlayfs_elsewhere_are_left_out(store: Store, victim: Path) -> None:
    layer = store.layers.unpack(None, iter(blocks(HARMLESS["attributes of overlayfs"](str(victim)))))
    for name in ("d", "f"):
        assert os.listxattr(store.layers.path(layer.diff_id) / name) == []


def test_a_link_in_the_way_is_replaced_and_not_followed(store: Store, victim: Path) -> None:
    make = HARMLESS["link, then a file of the same name"]
    layer = store.layers.unpack(None, iter(blocks(make(str(victim)))))
    path = store.layers.path(layer.diff_id) / "l"
    assert not path.is_symlink() and path.read_bytes() == b"changed"


def test_host_users_reach_no_setuid_program_of_a_layer(store: Store) -> None:
    layer = store.layers.unpack(None, iter(blocks(HARMLESS["setuid"](""))))
    path = store.layers.path(layer.diff_id)
    assert stat.S_IMODE((path / "su").stat().st_mode) == 0o6755
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700  # CVE-2021-41091


def test_the_process_ends_when_nobody_feeds_it(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    feed = iter(blocks(tar(directory("d"), file("d/f", bytes(10**7)))))

    def cut() -> Iterator[bytes]:
        yield next(feed)
        raise TimeoutError("the registry went silent")

    with pytest.raises(TimeoutError):
        unpack(cut(), target, Limits(10, ROOM))
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [pid for pid in children if b"unpack_child" in Path(f"/proc/{pid}/cmdline").read_bytes()]
