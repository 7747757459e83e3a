"""A container's changes become the same tar every time; it unpacks to what was there; links lead nowhere."""

import io
import os
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.images.pack import Unpackable, pack
from runtime.images.tar_format import DIRECTORY, END, FILE, Entry, header, padding
from tests.runtime.images.conftest import Store


def packed(root: Path, latest: int | None = None) -> bytes:
    """The whole tar of a directory."""
    return b"".join(pack(root, latest=latest))


def names(data: bytes) -> list[str]:
    """The names in a tar, as Python's own reader sees them."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    """An empty upper directory."""
    directory = tmp_path / "upper"
    directory.mkdir()
    return directory


def test_the_same_files_give_the_same_bytes(upper: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for root, order in ((upper, "abc"), (other, "cba")):
        for name in order:
            (root / name).write_text(name)
            os.utime(root / name, ns=(1, 10**9 + ord(name)))
    assert packed(upper) == packed(other) and names(packed(upper)) == ["a", "b", "c"]


def test_newer_times_are_held_back(upper: Path) -> None:
    (upper / "f").touch()
    os.utime(upper / "f", (0, 2_000_000_000))
    with tarfile.open(fileobj=io.BytesIO(packed(upper, latest=1_000))) as archive:
        assert archive.getmember("f").mtime == 1_000


def test_overlayfs_s_marks_become_the_image_spec_s(upper: Path, store: Store) -> None:
    os.mknod(upper / "gone", 0o020000, 0)
    (upper / "d").mkdir()
    os.setxattr(upper / "d", "trusted.overlay.opaque", b"y")
    os.setxattr(upper / "d", "trusted.overlay.origin", b"x")
    data = packed(upper)
    assert names(data) == ["d", "d/.wh..wh..opq", ".wh.gone"]
    layer = store.layers.commit(upper)
    assert b"".join(store.layers.archive(layer.diff_id)) == data


def test_a_name_that_would_read_as_a_mark_is_refused(upper: Path) -> None:
    (upper / ".wh.f").touch()
    with pytest.raises(Unpackable, match=r"begin with \.wh\."):
        packed(upper)


@pytest.mark.parametrize(("mark", "reason"), [("redirect", "redirect_dir"), ("metacopy", "metacopy")])
def test_files_whose_content_is_elsewhere_are_refused(upper: Path, mark: str, reason: str) -> None:
    (upper / "x").mkdir() if mark == "redirect" else (upper / "x").touch()
    os.setxattr(upper / "x", f"trusted.overlay.{mark}", b"/y")
    with pytest.raises(Unpackable, match=reason):
        packed(upper)


def test_links_are_packed_and_not_followed(upper: Path, victim: Path) -> None:
    (upper / "link").symlink_to(victim)
    (upper / "file").symlink_to(victim / "file")
    assert names(packed(upper)) == ["file", "link"] and b"untouched" not in packed(upper)


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_what_is_swapped_for_a_link_meanwhile_is_not_followed(
    upper: Path, victim: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = upper / "swapped"
    place.mkdir() if kind == "directory" else place.touch()
    look, swapped = os.stat, list[bytes]()

    def swap_after(name: bytes, **options: Any) -> os.stat_result:
        status = look(name, **options)
        if swapped:
            return status
        swapped.append(name)
        place.rmdir() if kind == "directory" else place.unlink()
        place.symlink_to(victim if kind == "directory" else victim / "file")
        return status

    monkeypatch.setattr("runtime.images.pack.os.stat", swap_after)
    with pytest.raises(OSError):
        packed(upper)


def test_a_file_that_shrinks_meanwhile_keeps_its_header(upper: Path) -> None:
    (upper / "f").write_bytes(b"x" * 2**22)
    tar = pack(upper)
    first = next(tar)
    os.truncate(upper / "f", 10)
    rest = first + b"".join(tar)
    with tarfile.open(fileobj=io.BytesIO(rest)) as archive:
        assert archive.getmember("f").size == 2**22


def test_sockets_are_left_out_and_pipes_do_not_block(upper: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(upper / "s"))
    os.mkfifo(upper / "p")
    assert names(packed(upper)) == ["p"]


def test_a_tree_that_is_too_deep_is_refused_and_closes_what_it_opened(upper: Path) -> None:
    fd = os.open(upper, os.O_RDONLY)
    for _ in range(700):
        os.mkdir("d", dir_fd=fd)
        fd, parent = os.open("d", os.O_RDONLY, dir_fd=fd), fd
        os.close(parent)
    os.close(fd)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(Unpackable, match="deep"):
        packed(upper)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


LEGAL = st.binary(min_size=1, max_size=255).filter(
    lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b"..")
)


@settings(max_examples=200)
@given(
    name=st.lists(LEGAL, min_size=1, max_size=4).map(b"/".join),
    mode=st.integers(0, 0o7777),
    ids=st.tuples(st.integers(0, 2**32 - 2), st.integers(0, 2**32 - 2)),
    mtime=st.integers(0, 2**40),
    xattrs=st.dictionaries(st.sampled_from(["user.a", "user.ü"]), st.binary(max_size=40)),
    content=st.binary(max_size=600),
)
def test_every_header_is_read_as_it_was_meant(
    name: bytes, mode: int, ids: tuple[int, int], mtime: int, xattrs: dict[str, bytes], content: bytes
) -> None:
    entry = Entry(name, FILE, mode, *ids, len(content), mtime, xattrs=xattrs)
    data = header(entry) + content + padding(len(content)) + END
    assert len(data) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        found = archive.getmembers()
        assert len(found) == 1
        file = archive.extractfile(found[0])
        assert file is not None and file.read() == content
    seen = found[0]
    assert seen.name.encode("utf-8", "surrogateescape") == name
    assert (seen.mode, seen.uid, seen.gid, int(seen.mtime)) == (mode, *ids, mtime)
    for key, value in xattrs.items():
        assert seen.pax_headers[f"SCHILY.xattr.{key}"].encode("utf-8", "surrogateescape") == value


TREE = st.recursive(
    st.binary(max_size=20),
    lambda inner: st.dictionaries(st.sampled_from([b"a", b"b", b"\xff", b"n" * 150]), inner),
    max_leaves=8,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tree=st.dictionaries(st.sampled_from([b"x", b"y", b".z"]), TREE))
def test_a_layer_that_is_packed_and_unpacked_is_the_same(store: Store, tree: dict[bytes, object]) -> None:
    with store.layers.scratch() as directory:
        build(directory, tree)
        layer = store.layers.commit(directory)
        assert read(store.layers.path(layer.diff_id)) == tree
        assert packed(store.layers.path(layer.diff_id)) == packed(directory)


def build(path: Path, tree: dict[bytes, object]) -> None:
    """Make a tree of files."""
    for name, node in tree.items():
        place = path / os.fsdecode(name)
        if isinstance(node, dict):
            place.mkdir()
            build(place, node)
        else:
            place.write_bytes(node)  # type: ignore[arg-type]  # bytes by the strategy


def read(path: Path) -> dict[bytes, object]:
    """Read a tree of files."""
    return {os.fsencode(p.name): read(p) if p.is_dir() else p.read_bytes() for p in path.iterdir()}


def test_directories_end_with_a_slash() -> None:
    assert header(Entry(b"d/", DIRECTORY)).startswith(b"d/\0")
