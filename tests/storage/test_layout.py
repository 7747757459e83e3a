"""The data directory: made whole, recognised, refused in words, and held by one server at a time."""

import ctypes
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from storage import layout
from storage.errors import StorageError, Unavailable
from storage.layout import Layout, LayoutError


def test_made_private_and_whole(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        opened = Layout.open(tmp_path / "new" / "data", create=True)
    finally:
        os.umask(before)
    assert (opened.root / "format").read_bytes() == b"1\n"
    assert stat.S_IMODE((opened.root / "format").stat().st_mode) == 0o600
    for directory in (opened.root, opened.uploads, opened.blobs):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert sorted(path.name for path in opened.root.iterdir()) == ["blobs", "format", "uploads"]
    assert opened.database == opened.root / "moorage.db"
    assert Layout.open(opened.root) == opened
    assert Layout.open(opened.root, create=True) == opened


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Layout.open(Path("data"), create=True).root == Path("data")
    assert (tmp_path / "data" / "format").exists()


def test_only_create_makes_anything(tmp_path: Path) -> None:
    for root in (tmp_path / "data", tmp_path):
        with pytest.raises(LayoutError, match="moorage serve --data"):
            Layout.open(root)
    assert list(tmp_path.iterdir()) == []


def test_empty_directory_is_taken_and_made_private(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    tmp_path.chmod(0o755)
    Layout.open(tmp_path, create=True)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_directory_of_another_owner_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    assert Layout.open(tmp_path, create=True).uploads.is_dir()


def test_directory_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(LayoutError, match=r"holiday\.jpg"):
        Layout.open(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_making_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "format.new").touch()
    Layout.open(tmp_path, create=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "format", "uploads"]


def test_part_that_went_missing_is_made_again(tmp_path: Path) -> None:
    opened = Layout.open(tmp_path, create=True)
    opened.uploads.rmdir()
    Layout.open(tmp_path, create=True)
    assert opened.uploads.is_dir()


def test_newer_format_is_refused(tmp_path: Path) -> None:
    Layout.open(tmp_path, create=True)
    (tmp_path / "format").write_text("2\n")
    for create in (False, True):
        with pytest.raises(LayoutError, match=r"format 2.*newer"):
            Layout.open(tmp_path, create=create)


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "1.0", "\u0661"])
def test_damaged_format_is_refused(tmp_path: Path, text: str) -> None:
    Layout.open(tmp_path, create=True)
    (tmp_path / "format").write_text(text)
    with pytest.raises(LayoutError, match="damaged"):
        Layout.open(tmp_path)


def test_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for create in (False, True):
        with pytest.raises(StorageError, match="Not a directory"):
            Layout.open(tmp_path / "file", create=create)


@pytest.mark.parametrize(("number", "name"), [(0x6969, "NFS"), (0xFF534D42, "CIFS"), (0x01021997, "9p")])
def test_network_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str
) -> None:
    monkeypatch.setattr(layout, "_filesystem_type", lambda _path: number)
    with pytest.raises(LayoutError, match=rf"{name}.*local disk"):
        Layout.open(tmp_path, create=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc, a file system of known type")
def test_type_of_a_file_system() -> None:
    assert layout._filesystem_type(Path("/proc")) == 0x9FA0
    with pytest.raises(FileNotFoundError):
        layout._filesystem_type(Path("/no/such/place"))


def test_elsewhere_than_on_linux_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", None)
    assert layout._filesystem_type(Path("/")) == 0


def test_lock_is_for_one(tmp_path: Path) -> None:
    opened = Layout.open(tmp_path, create=True)
    with opened.lock():
        assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
        with pytest.raises(LayoutError, match=f"in use by process {os.getpid()};"):
            opened.lock()
    with opened.lock() as lock:
        lock.release()
        opened.lock().release()


def test_lock_says_of_its_server_what_it_was_told(tmp_path: Path) -> None:
    opened = Layout.open(tmp_path, create=True)
    assert opened.served() is None
    with opened.lock("s3:bucket/prefix files"):
        assert opened.served() == "s3:bucket/prefix files"
        with pytest.raises(LayoutError, match=f"in use by process {os.getpid()};"):
            opened.lock()
    assert opened.served() is None
    with opened.lock():
        assert opened.served() == ""
    with opened.lock() as lock:
        os.ftruncate(lock.fd, 0)
        os.pwrite(lock.fd, b"42\n", 0)  # as a version before this one wrote it
        assert opened.served() == ""


def test_lock_is_taken_after_a_kill(tmp_path: Path) -> None:
    opened = Layout.open(tmp_path, create=True)
    holder = _holder(opened)
    with pytest.raises(LayoutError, match=f"process {holder.pid};"):
        opened.lock()
    holder.kill()
    holder.communicate()
    opened.lock().release()


def test_worker_that_inherited_the_lock_keeps_it_when_the_parent_is_killed(tmp_path: Path) -> None:
    opened = Layout.open(tmp_path, create=True)
    parent = _holder(opened, "import subprocess; print(subprocess.Popen(['sleep', '60'], close_fds=False).pid)")
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    try:
        with pytest.raises(LayoutError, match="in use"):
            opened.lock()
    finally:
        os.kill(worker, signal.SIGKILL)
    parent.communicate()  # ends when the worker, which has its standard output, is gone
    opened.lock().release()


def test_lock_that_cannot_be_taken_is_not_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Layout.open(tmp_path, create=True)

    def refuse(fd: int, inheritable: bool) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "set_inheritable", refuse)
    with pytest.raises(Unavailable, match="EIO"):
        opened.lock()
    monkeypatch.undo()
    opened.lock().release()


def _holder(opened: Layout, then: str = "") -> subprocess.Popen[str]:
    """Start a process that holds the directory, does something, and waits to be killed."""
    script = f"""
import sys, pathlib, time
from storage.layout import Layout
lock = Layout.open(pathlib.Path(sys.argv[1])).lock()
print("held", flush=True)
{then}
sys.stdout.flush()
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script, str(opened.root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process
