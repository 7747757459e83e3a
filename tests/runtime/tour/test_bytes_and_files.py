"""Streams, files and archives by both command lines: byte for byte, and the same names for the same copies."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.tour.clients import Client
from tests.runtime.tour.conftest import BUSYBOX

pytestmark = pytest.mark.e2e

SCRIPT = "echo out; echo err >&2; read -r line; echo got $line; exit 3"


@pytest.fixture
def box(client: Client) -> Iterator[str]:
    """A running container."""
    name = f"box-{client.name}"
    client.ok("run", "-d", "--name", name, "--network", "none", BUSYBOX, "sleep", "1000")
    yield name
    client("rm", "-f", name)


def test_the_streams_are_apart_and_stdin_is_read(client: Client) -> None:
    done = client("run", "-i", "--rm", "--network", "none", BUSYBOX, "sh", "-c", SCRIPT, stdin="a line\n")
    assert (done.status, done.out, done.err) == (3, "out\ngot a line\n", "err\n")


def test_exec_reads_and_writes_too(client: Client, box: str) -> None:
    done = client("exec", "-i", "-e", "A=b", "-w", "/tmp", box, "sh", "-c", f"pwd; echo $A; {SCRIPT}", stdin="x\n")
    assert (done.status, done.out, done.err) == (3, "/tmp\nb\nout\ngot x\n", "err\n")


def test_logs_keep_streams_and_order(client: Client) -> None:
    name = f"said-{client.name}"
    client(
        "run",
        "--name",
        name,
        "--network",
        "none",
        BUSYBOX,
        "sh",
        "-c",
        "echo 1; sleep 0.2; echo 2 >&2; sleep 0.2; echo 3",
    )
    done = client("logs", name)
    assert (done.out, done.err) == ("1\n3\n", "2\n")
    assert client.ok("logs", "--tail", "1", name) == "3"
    stamp, _, text = client.ok("logs", "-t", "--tail", "1", name).partition(" ")
    assert stamp.endswith("Z") and text == "3"
    assert client.ok("wait", name) == "0"
    assert client.ok("rm", name) == name


def test_copies_get_dockers_names(client: Client, box: str, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "file").write_bytes(os.urandom(100_000))
    (source / "link").symlink_to("sub/file")
    back.mkdir()
    client.ok("cp", source, f"{box}:/new")  # not there: becomes the copy's name
    client.ok("cp", source, f"{box}:/tmp")  # there: goes into it
    client.ok("cp", f"{source}/.", f"{box}:/tmp")  # contents only
    client.ok("cp", source / "sub" / "file", f"{box}:/tmp/renamed")
    listed = client.ok("exec", box, "ls", "/new", "/tmp").split()
    assert listed == ["/new:", "link", "sub", "/tmp:", "link", "renamed", "source", "sub"]
    client.ok("cp", f"{box}:/new", back)
    client.ok("cp", f"{box}:/new/.", back / "contents")
    client.ok("cp", f"{box}:/new/sub/file", back / "one")
    client.ok("cp", "-L", f"{box}:/new/link", back / "followed")
    content = (source / "sub" / "file").read_bytes()
    for path in ("new/sub/file", "contents/sub/file", "one", "followed"):
        assert (back / path).read_bytes() == content, path
    assert (back / "new" / "link").readlink() == Path("sub/file")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("{box}:/nosuch", "{here}"), "Could not find the file /nosuch in container"),
        (("{here}/nosuch", "{box}:/tmp"), "no such file or directory"),
        (("{box}:/bin", "{here}/file"), "cannot copy directory"),
        (("{here}/file", "{box}:/nosuch/"), "no such directory"),
        (("{here}/file", "{here}/other"), "must specify at least one container source"),
        (("{box}:/a", "{box}:/b"), "copying between containers is not supported"),
        (("nosuch:/a", "{here}"), "No such container: nosuch"),
    ],
)
def test_copies_that_cannot_be_are_refused(
    client: Client, box: str, tmp_path: Path, words: tuple[str, str], sentence: str
) -> None:
    (tmp_path / "file").write_text("x")
    said = client.refused("cp", *(word.format(box=box, here=tmp_path) for word in words))
    assert sentence.lower() in said.lower()


def test_images_and_containers_become_files_and_come_back(client: Client, box: str, tmp_path: Path) -> None:
    saved, exported = tmp_path / "saved.tar", tmp_path / "exported.tar"
    other = f"another/{client.name}:1"
    client.ok("tag", BUSYBOX, other)  # has the same tag, and is not what is asked for
    client.ok("save", "-o", saved, BUSYBOX)
    client.ok("rmi", other)
    assert f"Loaded image: {BUSYBOX}" in client.ok("load", "-i", saved)
    client.ok("exec", box, "sh", "-c", "echo kept > /kept")
    client.ok("export", "-o", exported, box)
    with tarfile.open(exported) as archive:
        file = archive.extractfile("kept")
        assert file is not None and file.read() == b"kept\n"
    imported, committed = f"tour/imported-{client.name}:1", f"tour/committed-{client.name}:1"
    client.ok("import", "-c", 'CMD ["cat", "/kept"]', exported, imported)
    client.ok("commit", "-c", "CMD cat /kept", box, committed)
    for image in (imported, committed):
        assert client.ok("run", "--rm", "--network", "none", image) == "kept"
    assert "A /kept" in client.ok("diff", box)
    client.ok("rmi", imported, committed)
