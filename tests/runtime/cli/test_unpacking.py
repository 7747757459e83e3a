"""What a container sends for `moor cp` lands in the destination, and nowhere else."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cli.options import Failure
from runtime.cli.packing import END, packed_tree
from runtime.cli.unpacking import unpack

Entry = tuple[str, bytes, str]  # name, type, content or target


def tar(*entries: Entry) -> Iterator[bytes]:
    """An archive of these entries, in pieces of an odd size."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, text in entries:
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, 0o755 if kind == tarfile.DIRTYPE else 0o4644
            if kind in {tarfile.SYMTYPE, tarfile.LNKTYPE}:
                member.linkname = text
            content = text.encode() if kind == tarfile.REGTYPE else b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    data = buffer.getvalue()
    return (data[place : place + 777] for place in range(0, len(data), 777))


FILE, DIRECTORY, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Where is unpacked, and a directory beside it with a file that nobody may touch."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "victim").write_text("untouched")
    return inside, outside


HOSTILE: dict[str, tuple[Entry, ...]] = {
    "dot-dot": (("../outside/victim", FILE, "x"),),
    "dot-dot in the middle": (("a", DIRECTORY, ""), ("a/../../outside/victim", FILE, "x")),
    "absolute": (("{outside}/victim", FILE, "x"),),
    "through a link": (("a", LINK, "{outside}"), ("a/victim", FILE, "x")),
    "through a relative link": (("a", LINK, "../outside"), ("a/victim", FILE, "x")),
    "through a chain of links": (("a", LINK, "."), ("a/b", LINK, "../outside"), ("b/victim", FILE, "x")),
    "a directory that becomes a link": (
        ("a", DIRECTORY, ""),
        ("a/b", FILE, "1"),
        ("a", LINK, "{outside}"),
        ("a/victim", FILE, "x"),
    ),
    "directory over a link": (("a", LINK, "{outside}"), ("a", DIRECTORY, "")),
    "hard link to the host": (("a", HARD, "{outside}/victim"),),
    "hard link with dot-dot": (("a", HARD, "../outside/victim"),),
    "hard link through a link": (("a", LINK, "{outside}"), ("b", HARD, "a/victim")),
    "device": (("a", tarfile.CHRTYPE, ""),),
    "block device": (("a", tarfile.BLKTYPE, ""),),
    "file as a directory": (("a", FILE, "1"), ("a/b", FILE, "2")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_never_leads_out(places: tuple[Path, Path], name: str) -> None:
    inside, outside = places
    entries = [
        (entry.format(outside=outside), kind, text.format(outside=outside)) for entry, kind, text in HOSTILE[name]
    ]
    with pytest.raises((Failure, OSError)):
        unpack(tar(*entries), inside, lambda entry: entry, owners=False)
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_text() == "untouched"
    assert (outside / "victim").stat().st_nlink == 1


def test_a_link_in_the_destination_is_replaced_and_not_followed(places: tuple[Path, Path]) -> None:
    inside, outside = places
    (inside / "f").symlink_to(outside / "victim")
    unpack(tar(("f", FILE, "new")), inside, lambda entry: entry, owners=False)
    assert (inside / "f").read_text() == "new" and not (inside / "f").is_symlink()
    assert (outside / "victim").read_text() == "untouched"


@pytest.mark.parametrize(("owners", "mode"), [(False, 0o644), (True, 0o4644)])
def test_set_id_bits_come_only_with_their_owner(places: tuple[Path, Path], owners: bool, mode: int) -> None:
    if owners and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    inside, _ = places
    unpack(tar(("f", FILE, "x")), inside, lambda entry: entry, owners=owners)
    assert stat.S_IMODE((inside / "f").stat().st_mode) == mode


def test_a_tree_comes_back_as_it_was(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "sub" / "empty").mkdir(parents=True)
    target.mkdir()
    (source / "file").write_bytes(os.urandom(700_001))
    (source / "file").chmod(0o640)
    os.utime(source / "file", (1_000_000, 1_000_000))
    (source / "sub" / ("n" * 200)).write_text("a long name")
    (source / "link").symlink_to("sub/nowhere")
    os.mkfifo(source / "pipe")
    blocks = [*packed_tree(source, "top"), END]
    unpack(blocks, target, lambda entry: entry, owners=False)
    found = target / "top"
    assert (found / "file").read_bytes() == (source / "file").read_bytes()
    assert stat.S_IMODE((found / "file").stat().st_mode) == 0o640
    assert (found / "file").stat().st_mtime == 1_000_000
    assert (found / "sub" / ("n" * 200)).read_text() == "a long name"
    assert (found / "link").readlink() == Path("sub/nowhere")
    assert stat.S_ISFIFO((found / "pipe").lstat().st_mode)
    assert (found / "sub" / "empty").is_dir()


def test_the_archive_is_one_that_others_read(tmp_path: Path) -> None:
    (tmp_path / "ü").write_text("x" * 1000)
    data = b"".join([*packed_tree(tmp_path / "ü", "ü", owned_by_root=True), END])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        (member,) = archive.getmembers()
        assert (member.name, member.size, member.uid, member.gid) == ("ü", 1000, 0, 0)


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="damaged"):
        unpack([b"this is no archive" * 100], tmp_path, lambda entry: entry, owners=False)
