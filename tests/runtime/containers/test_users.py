"""Who USER means, against files that an image may have made anything of."""

import os
import socket
from pathlib import Path

import pytest

from runtime.containers.specification.users import User, find
from runtime.errors import BadParameter

PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/var/www:/bin/sh\n# note\n\nodd:x:7\nbig:x:99999999999:1::/:\n"
GROUP = "root:x:0:\nweb:x:33:\nlogs:x:40:web,other\ndocker:x:41:web\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system with accounts."""
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text(PASSWD)
    (tmp_path / "root/etc/group").write_text(GROUP)
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", User(0, 0, (), "/root")),
        ("root", User(0, 0, (), "/root")),
        ("web", User(33, 33, (40, 41), "/var/www")),
        ("33", User(33, 33, (40, 41), "/var/www")),
        ("web:logs", User(33, 40, (), "/var/www")),
        ("web:77", User(33, 77, (), "/var/www")),
        ("1000", User(1000, 0, (), "/")),
        ("1000:1001", User(1000, 1001, (), "/")),
        (":logs", User(0, 40, (), "/root")),
        ("2147483647", User(2**31 - 1, 0, (), "/")),
    ],
)
def test_docker_s_forms(root: Path, text: str, found: User) -> None:
    assert find(root, text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("odd", "unable to find user odd: no matching entries in passwd file"),
        ("big", "unable to find user big: no matching entries in passwd file"),
        ("web:nogroup", "unable to find group nogroup: no matching entries in group file"),
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("2147483648", "uids and gids must be in range 0-2147483647"),
        ("0:4294967296", "uids and gids must be in range 0-2147483647"),
        ("9" * 5000, "unable to find user"),
        ("\u0663\u0663", "unable to find user"),
        ("root\nweb", "unable to find user"),
    ],
)
def test_what_nobody_is_called(root: Path, text: str, said: str) -> None:
    with pytest.raises(BadParameter, match=said):
        find(root, text)


def test_further_groups(root: Path) -> None:
    assert find(root, "web", ["docker", "50"]).groups == (40, 41, 50)


def test_links_stay_inside_the_image(root: Path) -> None:
    outside = root.parent / "passwd"
    outside.write_text("web:x:666:666::/:\n")
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").symlink_to("../../../../passwd")
    with pytest.raises(BadParameter):
        find(root, "web")  # there is no /passwd inside
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").symlink_to(outside)
    with pytest.raises(BadParameter):
        find(root, "web")
    (root / "usr").mkdir()
    (root / "usr/passwd").write_text("web:x:5:5::/:\n")
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").symlink_to("/usr/passwd")
    assert find(root, "web").uid == 5


def test_a_linked_directory_stays_inside_the_image(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("web:x:666:666::/:\n")
    (root / "etc").rename(root / "old")
    (root / "etc").symlink_to(outside)
    with pytest.raises(BadParameter):
        find(root, "web")


def test_a_fifo_is_not_waited_for(root: Path) -> None:
    (root / "etc/passwd").unlink()
    os.mkfifo(root / "etc/passwd")
    assert find(root, "5").uid == 5


def test_a_socket_a_directory_and_a_device_are_nobody(root: Path) -> None:
    (root / "etc/passwd").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "etc/passwd"))
        assert find(root, "5").uid == 5
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").mkdir()
    assert find(root, "5").uid == 5
    (root / "etc/passwd").rmdir()
    (root / "etc/passwd").symlink_to("/proc/self/mem")
    assert find(root, "5").uid == 5


def test_a_huge_file_is_read_to_a_limit(root: Path) -> None:
    with (root / "etc/passwd").open("wb") as file:
        file.truncate(2**34)
    assert find(root, "5").uid == 5


def test_bytes_that_are_no_text(root: Path) -> None:
    (root / "etc/passwd").write_bytes(b"\xff\xfe\x00web:x:1:1::/:\n" + PASSWD.encode())
    assert find(root, "web").uid == 33


def test_an_image_without_accounts(tmp_path: Path) -> None:
    assert find(tmp_path, "0:0") == User(0, 0, (), "/")
    assert find(tmp_path / "not there", "") == User(0, 0, (), "/")
