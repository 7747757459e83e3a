"""What a container changed, read off real overlays' writable layers, and what a hostile one may make of it."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.containers.archives.changes import ADDED, DELETED, MODIFIED, changes
from runtime.errors import EngineError
from tests.parts.commands import run
from tests.parts.tools import require_root

pytestmark = pytest.mark.e2e

KINDS = {MODIFIED: "C", ADDED: "A", DELETED: "D"}


@pytest.fixture
def layers(tmp_path: Path) -> list[Path]:
    """Two layers, topmost first."""
    require_root()
    top, bottom = tmp_path / "top", tmp_path / "bottom"
    for directory in ("etc", "srv/deep", "gone"):
        (bottom / directory).mkdir(parents=True)
    (bottom / "etc/a").write_text("a")
    (bottom / "etc/b").write_text("b")
    (bottom / "srv/deep/file").write_text("x")
    (bottom / "gone/file").write_text("x")
    (bottom / "link").symlink_to("/etc")
    (top / "etc").mkdir(parents=True)
    (top / "etc/c").write_text("c")
    os.mknod(top / "gone", 0o020000, 0)
    return [top, bottom]


@pytest.fixture
def merged(layers: list[Path], tmp_path: Path) -> Iterator[Path]:
    """The overlay that a container would have, over `upper`."""
    for name in ("upper", "work", "merged"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={':'.join(map(str, layers))},upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    run("mount", "-t", "overlay", "overlay", "-o", options, tmp_path / "merged")
    yield tmp_path / "merged"
    run("umount", tmp_path / "merged")


def shown(tmp_path: Path, layers: list[Path]) -> list[str]:
    """As `docker diff` prints it."""
    return [f"{KINDS[change.kind]} {change.path}" for change in changes(tmp_path / "upper", layers)]


def test_nothing(merged: Path, tmp_path: Path, layers: list[Path]) -> None:
    assert shown(tmp_path, layers) == []


def test_files_made_changed_and_removed(merged: Path, tmp_path: Path, layers: list[Path]) -> None:
    (merged / "etc/a").write_text("changed")
    (merged / "etc/b").unlink()
    (merged / "new/deep").mkdir(parents=True)
    (merged / "new/deep/file").write_text("x")
    assert shown(tmp_path, layers) == ["C /etc", "C /etc/a", "D /etc/b", "A /new", "A /new/deep", "A /new/deep/file"]


def test_what_a_layer_removed_is_new_when_it_comes_back(merged: Path, tmp_path: Path, layers: list[Path]) -> None:
    (merged / "gone").mkdir()
    (merged / "gone/file").write_text("x")
    assert shown(tmp_path, layers) == ["A /gone", "A /gone/file"]


def test_directories_removed_and_made_again(merged: Path, tmp_path: Path, layers: list[Path]) -> None:
    run("rm", "-r", merged / "srv", merged / "etc")
    (merged / "etc").mkdir()
    (merged / "etc/a").write_text("again")
    assert shown(tmp_path, layers) == ["C /etc", "D /etc/b", "D /etc/c", "A /etc/a", "D /srv"]


def test_links_and_kinds_that_change(merged: Path, tmp_path: Path, layers: list[Path]) -> None:
    (merged / "link").unlink()
    (merged / "link").mkdir()
    (merged / "link/a").write_text("not /etc/a")
    (merged / "etc/a").unlink()
    (merged / "etc/a").symlink_to("b")
    assert shown(tmp_path, layers) == ["C /etc", "C /etc/a", "C /link", "A /link/a"]


def test_a_directory_that_was_only_copied_up_is_no_change(merged: Path, tmp_path: Path, layers: list[Path]) -> None:
    (merged / "srv/deep").chmod(0o755)  # as it was
    assert shown(tmp_path, layers) == []
    (merged / "srv/deep").chmod(0o700)
    assert shown(tmp_path, layers) == ["C /srv", "C /srv/deep"]


def test_links_out_of_the_layer_are_not_followed(tmp_path: Path, layers: list[Path]) -> None:
    secret = tmp_path / "host"
    secret.mkdir()
    (secret / "name").touch()
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "dir").symlink_to(secret)
    assert shown(tmp_path, layers) == ["A /dir"]


def test_a_directory_that_is_swapped_for_a_link_while_it_is_looked_at(tmp_path: Path, layers: list[Path]) -> None:
    secret = tmp_path / "host"
    secret.mkdir()
    (secret / "name").touch()
    upper = tmp_path / "upper"
    (upper / "dir").mkdir(parents=True)
    (upper / "trap").symlink_to(secret)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (upper / "dir").rename(upper / "aside")
            (upper / "trap").rename(upper / "dir")
            (upper / "dir").rename(upper / "trap")
            (upper / "aside").rename(upper / "dir")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(1000):
            assert not any("name" in line for line in shown(tmp_path, layers))
    finally:
        stop.set()
        swapper.join()


def test_directories_too_deep_in_one_another_are_refused(tmp_path: Path, layers: list[Path]) -> None:
    top = tmp_path / "upper"
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(600):
        os.mkdir("d", dir_fd=fd)  # deeper than a path can be
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    with pytest.raises(EngineError, match="deep in one another"):
        shown(tmp_path, layers)
