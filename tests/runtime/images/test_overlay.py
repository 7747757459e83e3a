"""What the kernel and GNU tar make of our layers: overlayfs shows the image, and tar(1) unpacks the same tree."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.runtime.images.conftest import Store
from tests.runtime.images.tars import directory, file, tar

pytestmark = pytest.mark.e2e


@contextmanager
def mounted(store: Store, *layers: bytes) -> Iterator[Path]:
    """Unpack layers and put an overlay with an upper directory over them; yields where it is."""
    ids = [store.layers.unpack(None, iter([layer])).diff_id for layer in layers]
    place = Path(tempfile.mkdtemp(dir=store.data, prefix="mount-"))
    for name in ("upper", "work", "root"):
        (place / name).mkdir()
    lower = ":".join(store.layers.lowerdirs(ids))
    options = f"lowerdir={lower},upperdir={place}/upper,workdir={place}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, place / "root"], cwd=store.data, check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place / "root"], check=True)


def names(root: Path) -> list[str]:
    """Every name below a directory."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_whiteouts_and_opaque_directories_work(store: Store) -> None:
    lowest = tar(file("gone"), file("kept"), file("d/old"), file("e/old"), file("f/old"))
    above = tar(
        file(".wh.gone", b""),
        directory("d"),
        file("d/.wh..wh..opq", b""),
        file("d/new"),
        file(".wh.e", b""),
        file("e/new"),
    )
    with mounted(store, lowest, above) as place:
        assert names(place / "root") == ["d", "d/new", "e", "e/new", "f", "f/old", "kept"]


def test_a_layer_that_comes_twice_mounts(store: Store) -> None:
    one, other = tar(file("a", b"1")), tar(file("a", b"2"), file("b"))
    with mounted(store, one, other, one) as place:
        assert names(place / "root") == ["a", "b"] and (place / "root/a").read_bytes() == b"1"


def test_forty_layers_mount(store: Store) -> None:
    with mounted(store, *(tar(file(f"f{number}")) for number in range(40))) as place:
        assert len(names(place / "root")) == 40


def test_what_a_container_changes_is_committed(store: Store) -> None:
    lowest = tar(file("gone"), file("d/old"), file("changed", b"1"))
    with mounted(store, lowest) as place:
        root = place / "root"
        (root / "gone").unlink()
        (root / "d/old").unlink()
        (root / "d").rmdir()
        (root / "d").mkdir()
        (root / "d/new").touch()
        (root / "changed").write_bytes(b"2")
        made = store.layers.commit(place / "upper")
    with mounted(store, lowest, b"".join(store.layers.archive(made.diff_id))) as place:
        assert names(place / "root") == ["changed", "d", "d/new"]
        assert (place / "root/changed").read_bytes() == b"2"


def test_a_real_tree_is_the_same_as_tar_makes_it(store: Store, tmp_path: Path) -> None:
    archive, theirs = tmp_path / "tree.tar", tmp_path / "theirs"
    source = Path(os.__file__).parent
    subprocess.run(["tar", "-cf", archive, "-C", source, "json", "email", "os.py", "encodings"], check=True)
    theirs.mkdir()
    subprocess.run(["tar", "-xpf", archive, "-C", theirs, "--same-owner"], check=True)
    layer = store.layers.unpack(None, iter([archive.read_bytes()]))
    assert facts(store.layers.path(layer.diff_id)) == facts(theirs)


def facts(root: Path) -> dict[str, tuple[object, ...]]:
    """What a tree consists of."""
    found: dict[str, tuple[object, ...]] = {}
    for path in root.rglob("*"):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        times = status.st_mtime_ns
        found[str(path.relative_to(root))] = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            status.st_nlink,
            times,
            content,
        )
    return found
