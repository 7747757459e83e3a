"""Files into and out of a container's root: what Docker does with them, and that the host is never reached."""

import bz2
import gzip
import io
import lzma
import os
import socket
import stat as modes
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from runtime.containers.archives import archive
from runtime.containers.archives.archive_process import View
from runtime.containers.archives.jail import Bind
from runtime.errors import BadParameter, EngineError, Forbidden, NotFound
from tests.parts.tools import require_root
from tests.runtime.containers.clients import descriptors

pytestmark = pytest.mark.e2e

SECRET = b"the host's own"
ZSTD = zstandard.ZstdCompressor(write_checksum=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    require_root()
    made = tmp_path / "root"
    for name in ("etc", "srv/deep", "tmp"):
        made.joinpath(name).mkdir(parents=True)
    made.joinpath("etc/name").write_bytes(b"inside")
    made.joinpath("srv/deep/file").write_bytes(b"deep")
    made.joinpath("srv/link").symlink_to("/etc/name")
    made.joinpath("srv/away").symlink_to("/etc")
    return made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the host's that nothing may read or change."""
    file = tmp_path / "host" / "secret"
    file.parent.mkdir()
    file.write_bytes(SECRET)
    return file


def taken(view: View, path: str) -> dict[str, tarfile.TarInfo]:
    """What a copy out holds, by name as it stands in the tar."""
    return {member.name: member for member in members(whole(view, path))}


def whole(view: View, path: str) -> bytes:
    with archive.pack(view, path) as (_, source):
        return b"".join(source.blocks())


def members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getmembers()


def content(data: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def tar(*entries: tuple[str, bytes | str | None], kind: bytes | None = None, mode: int = 0o640, uid: int = 5) -> bytes:
    """A tar of files (bytes), links (str) and directories (None); `kind` makes entries something else."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, value in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.uid, info.gid, info.mtime = mode, uid, uid + 1, 1000
            if isinstance(value, bytes):
                info.size = len(value)
            info.type = tarfile.DIRTYPE if value is None else tarfile.SYMTYPE if isinstance(value, str) else info.type
            info.type = kind or info.type
            info.linkname = value if isinstance(value, str) else ""
            made.addfile(info, io.BytesIO(value) if isinstance(value, bytes) else None)
    return buffer.getvalue()


def put(view: View, path: str, data: bytes, *, keeps_kinds: bool = True, owner: tuple[int, int] | None = None) -> None:
    archive.extract(view, path, iter([data]), keeps_kinds=keeps_kinds, owner=owner)


def test_a_file_is_looked_at(root: Path) -> None:
    os.utime(root / "etc/name", ns=(0, 1_700_000_000_123_456_789))
    found = archive.stat(View(root), "etc/name")
    assert (found.name, found.size, found.mtime, found.link_target) == ("name", 6, 1_700_000_000_123_456_789, "")
    assert modes.S_ISREG(found.mode)


@pytest.mark.parametrize(("path", "name", "target"), [("/srv/link", "link", "/etc/name"), ("srv/away", "away", "/etc")])
def test_a_link_is_looked_at_and_where_it_leads_inside(root: Path, path: str, name: str, target: str) -> None:
    found = archive.stat(View(root), path)
    assert (found.name, found.link_target) == (name, target)
    assert modes.S_ISLNK(found.mode)


@pytest.mark.parametrize(("path", "name"), [("/srv/away/", "away"), ("/srv/away/.", "."), ("/", "/"), ("/../..", "/")])
def test_a_path_s_end_says_that_a_directory_is_meant(root: Path, path: str, name: str) -> None:
    found = archive.stat(View(root), path)
    assert found.name == name
    assert modes.S_ISDIR(found.mode)


def test_missing_files_in_docker_s_words(root: Path) -> None:
    view = View(root, called="web")
    for ask in (archive.stat, whole):
        with pytest.raises(NotFound) as refusal:
            ask(view, "/no/such")
        assert str(refusal.value) == "Could not find the file /no/such in container web"
    with pytest.raises(BadParameter, match="not a directory"):
        archive.stat(view, "/etc/name/")
    for path, words in (("", "cannot be empty"), ("a\0b", "cannot be empty"), ("a/" * 3000, "too long")):
        with pytest.raises(BadParameter, match=words):
            archive.stat(view, path)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/etc/name", ["name"]),
        ("/srv", ["srv", "srv/away", "srv/deep", "srv/deep/file", "srv/link"]),
        ("/srv/deep/.", [".", "./file"]),
        ("/srv/link", ["link"]),
    ],
)
def test_names_in_a_copy_out_are_docker_s(root: Path, path: str, names: list[str]) -> None:
    assert list(taken(View(root), path)) == names


def test_a_copy_out_keeps_what_files_are(root: Path) -> None:
    file = root / "srv" / "tool"
    file.write_bytes(b"x" * 5000)
    os.chown(file, 12, 34)
    file.chmod(0o4755)
    os.utime(file, (5, 5))
    os.setxattr(file, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.link(file, root / "srv" / "tool2")
    os.mkfifo(root / "srv" / "fifo")
    found = taken(View(root), "/srv")
    tool = found["srv/tool"]
    assert (tool.mode, tool.uid, tool.gid, tool.mtime, tool.size) == (0o4755, 12, 34, 5, 5000)
    assert "SCHILY.xattr.security.capability" in tool.pax_headers
    assert (found["srv/tool2"].islnk(), found["srv/tool2"].linkname) == (True, "srv/tool")
    assert found["srv/fifo"].isfifo()
    assert found["srv/link"].linkname == "/etc/name"


def test_a_pipe_or_socket_at_the_target_does_not_hold_up_a_copy(root: Path) -> None:
    os.mkfifo(root / "tmp" / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "tmp" / "s"))
        assert taken(View(root), "/tmp/fifo")["fifo"].isfifo()
        assert list(taken(View(root), "/tmp")) == ["tmp", "tmp/fifo"]


def test_links_out_of_the_root_lead_nowhere(root: Path, secret: Path) -> None:
    for number, target in enumerate((str(secret), f"../../..{secret}", f"/../../../..{secret}")):
        link = root / "tmp" / f"link{number}"
        link.symlink_to(target)
        with pytest.raises(NotFound):
            archive.stat(View(root), f"/tmp/link{number}/")
    root.joinpath("host").symlink_to(secret.parent)
    with pytest.raises(NotFound):
        whole(View(root), "/host/secret")
    assert SECRET not in whole(View(root), "/tmp")


def test_a_root_that_is_swapped_for_links_while_it_is_copied(root: Path, secret: Path) -> None:
    """CVE-2018-15664: a directory becomes a link to the host between the look at it and the reading."""
    inside, aside = root / "srv" / "deep", root / "srv" / "aside"
    inside.joinpath("secret").write_bytes(b"harmless")
    link = root / "srv" / "trap"
    link.symlink_to(secret.parent)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            inside.rename(aside)
            link.rename(inside)
            inside.rename(link)
            aside.rename(inside)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(5):
            assert SECRET not in whole(View(root), "/srv")
            try:
                data = whole(View(root), "/srv/deep/secret")
                assert SECRET not in data
                put(View(root), "/srv/deep", tar(("secret", b"written")))
            except EngineError:
                continue
    finally:
        stop.set()
        swapper.join()
    assert secret.read_bytes() == SECRET
    assert list(secret.parent.iterdir()) == [secret]


def test_a_copy_in(root: Path) -> None:
    put(View(root), "/srv", tar(("new", None), ("new/file", b"data"), ("new/link", "/etc/name"), mode=0o751))
    file = root / "srv" / "new" / "file"
    assert file.read_bytes() == b"data"
    status = file.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777, status.st_mtime) == (5, 6, 0o751, 1000)
    assert (root / "srv/new/link").readlink() == Path("/etc/name")


def test_the_directory_itself_stays_as_it_is(root: Path) -> None:
    before = (root.stat().st_mode, (root / "srv").stat().st_mode)
    put(View(root), "/srv", tar((".", None), ("./x", b"x"), mode=0o700))
    assert (root / "srv" / "x").exists()
    assert (root.stat().st_mode, (root / "srv").stat().st_mode, (root / "srv").stat().st_uid) == (*before, 0)


def test_a_copy_in_through_a_link_to_a_directory_stays_inside(root: Path, secret: Path) -> None:
    put(View(root), "/srv/away", tar(("added", b"x")))
    assert (root / "etc" / "added").read_bytes() == b"x"
    root.joinpath("tmp/out").symlink_to(secret.parent)
    with pytest.raises(NotFound):
        put(View(root), "/tmp/out", tar(("secret", b"changed")))
    assert secret.read_bytes() == SECRET


def test_a_copy_in_for_another_owner(root: Path) -> None:
    put(View(root), "/tmp", tar(("x", b"x")), owner=(1000, 1001))
    status = (root / "tmp" / "x").stat()
    assert (status.st_uid, status.st_gid) == (1000, 1001)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, ZSTD.compress])
def test_a_copy_in_is_unpacked(root: Path, pack: Callable[[bytes], bytes]) -> None:
    noise = os.urandom(300_000)
    packed = pack(tar(("x", noise), ("zeros", bytes(3_000_000))))
    archive.extract(View(root), "/tmp", pieces(packed), keeps_kinds=True)
    assert (root / "tmp" / "x").read_bytes() == noise
    assert (root / "tmp" / "zeros").stat().st_size == 3_000_000
    for damaged in (packed[:-40], packed[:1000] + b"damage" + packed[1006:]):
        with pytest.raises(EngineError):
            archive.extract(View(root), "/srv", pieces(damaged), keeps_kinds=True)


def pieces(data: bytes) -> Iterator[bytes]:
    """As they come from a client."""
    for start in range(0, len(data), 10_000):
        yield data[start : start + 10_000]


def test_what_is_in_the_way_is_replaced_never_written_through(root: Path, secret: Path) -> None:
    for name in ("link", "hard"):
        target = root / "tmp" / name
        target.symlink_to(secret) if name == "link" else os.link(secret, target)
        put(View(root), "/tmp", tar((name, b"new")))
        assert target.read_bytes() == b"new"
    os.mkfifo(root / "tmp" / "fifo")
    put(View(root), "/tmp", tar(("fifo", b"new")))
    assert (root / "tmp" / "fifo").read_bytes() == b"new"
    assert secret.read_bytes() == SECRET


def test_kinds_are_kept_where_that_is_asked(root: Path) -> None:
    with pytest.raises(BadParameter, match="cannot overwrite directory 'deep' with non-directory"):
        put(View(root), "/srv", tar(("deep", b"file")))
    with pytest.raises(BadParameter, match="cannot overwrite non-directory 'name' with directory"):
        put(View(root), "/etc", tar(("name", None)))
    put(View(root), "/srv", tar(("deep", b"file")), keeps_kinds=False)
    assert (root / "srv" / "deep").read_bytes() == b"file"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tar(("../out", b"x")), "leads out"),
        (tar(("a/../../out", b"x")), "leads out"),
        (tar((".wh.name", b"")), "marks removed files"),
        (tar(("d", b""), kind=tarfile.CHRTYPE), "device 0:0"),
        (tar(("h", "../../host/secret"), kind=tarfile.LNKTYPE), "leads out"),
        (tar(("h", "nosuch"), kind=tarfile.LNKTYPE), "not in the layer"),
        (tar(("x", b"x" * 600))[:700], "unexpected EOF"),
        (b"this is no tar at all" * 100, "invalid tar header|truncated|bad checksum"),
    ],
)
def test_tars_that_ask_for_too_much_are_refused(root: Path, secret: Path, data: bytes, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        put(View(root), "/tmp", data)
    assert secret.read_bytes() == SECRET
    assert not (root.parent / "out").exists()


def test_an_absolute_name_is_taken_for_one_below(root: Path) -> None:
    put(View(root), "/tmp", tar(("/etc/passwd", b"x")))
    assert (root / "tmp/etc/passwd").read_bytes() == b"x"


def test_only_a_directory_can_be_extracted_to(root: Path) -> None:
    with pytest.raises(BadParameter, match="extraction point is not a directory"):
        put(View(root), "/etc/name", tar(("x", b"x")))
    with pytest.raises(NotFound, match="Could not find the file /nosuch in container web"):
        put(View(root, called="web"), "/nosuch", tar(("x", b"x")))


def test_what_is_bound_into_the_container_is_seen(root: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 me")
    view = View(root, (Bind(str(volume), "/data/deep", False), Bind(str(hosts), "/etc/hosts", True)))
    put(view, "/data/deep", tar(("x", b"into the volume")))
    assert (volume / "x").read_bytes() == b"into the volume"
    assert content(whole(view, "/etc/hosts"), "hosts") == b"127.0.0.1 me"
    assert list((root / "data/deep").iterdir()) == []


def test_a_mount_s_destination_does_not_lead_out_through_a_link(root: Path, secret: Path, tmp_path: Path) -> None:
    """GHSA-rg2x-37c3-w2rh: the place for a mount is a link of the image's, to a directory of the host."""
    volume = tmp_path / "volume"
    volume.mkdir()
    root.joinpath("data").symlink_to(secret.parent)
    with pytest.raises(EngineError):
        put(View(root, (Bind(str(volume), "/data", False),)), "/tmp", tar(("x", b"x")))
    assert list(secret.parent.iterdir()) == [secret]
    assert not os.path.ismount(secret.parent)


def test_very_many_mounts(root: Path, tmp_path: Path) -> None:
    volume = tmp_path / ("v" * 200)
    volume.mkdir()
    binds = tuple(Bind(str(volume), f"/data/{'d' * 200}{number}", True) for number in range(500))
    assert len(taken(View(root, binds), "/data")) == 501


@pytest.mark.parametrize(
    ("path", "words"),
    [("/tmp", "container rootfs is marked read-only"), ("/data", "mounted volume is marked read-only")],
)
def test_what_is_read_only_stays_so(root: Path, tmp_path: Path, path: str, words: str) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    root.joinpath("data").mkdir()
    view = View(root, (Bind(str(volume), "/data", True),), read_only=True)
    with pytest.raises(Forbidden, match=words):
        put(view, path, tar(("x", b"x")))
    assert list(volume.iterdir()) == []


def test_a_volume_of_a_read_only_container_can_be_written(root: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    put(View(root, (Bind(str(volume), "/data", False),), read_only=True), "/data", tar(("x", b"x")))
    assert (volume / "x").exists()


def test_an_export_is_the_root_without_what_is_bound_into_it(root: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "x").touch()
    (root / "data").mkdir()
    with archive.export(View(root, (Bind(str(volume), "/data", False),))) as source:
        names = [member.name for member in members(b"".join(source.blocks()))]
    assert names[:3] == ["data", "etc", "etc/name"]
    assert "srv/deep/file" in names
    assert "data/x" not in names


def test_a_root_that_is_mounted_no_more_is_not_written_to(root: Path) -> None:
    with pytest.raises(EngineError, match="the container has just ended"):
        put(View(root, mounted=True), "/tmp", tar(("x", b"x")))
    assert list((root / "tmp").iterdir()) == []


def test_libraries_of_the_container_are_not_loaded(root: Path) -> None:
    """CVE-2019-14271: the process that copies loads libnss or a codec from the container's file system."""
    for name in ("lib/x86_64-linux-gnu/libnss_files.so.2", "usr/lib/python3.11/encodings/ascii.py"):
        bait = root / name
        bait.parent.mkdir(parents=True)
        os.mkfifo(bait)  # whoever opens it waits for ever
    root.joinpath("etc/nsswitch.conf").write_text("passwd: files\n")
    root.joinpath("srv", "na\u00efve-\udcff").write_bytes(b"x")
    assert "srv/na\u00efve-\udcff" in taken(View(root), "/srv")
    put(View(root), "/tmp", tar(("na\u00efve-\udcff", b"x")))
    with pytest.raises(BadParameter):
        put(View(root), "/tmp", tar(("..", b"x")))


def test_nothing_is_left_over(root: Path) -> None:
    before = descriptors()
    with archive.pack(View(root), "/srv"):
        pass  # a client that goes at once

    def broken() -> Iterator[bytes]:
        yield tar(("x", b"x"))[:512]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        archive.extract(View(root), "/tmp", broken(), keeps_kinds=True)
    assert descriptors() == before
    assert str(root.parent) not in Path("/proc/self/mounts").read_text()
