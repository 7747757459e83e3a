"""`docker cp`, export, diff and commit on real containers, also while one does its worst."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.containers.rootfs import mounted_below
from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine
from tests.runtime.whole.conftest import IMAGE
from tests.runtime.whole.talking import Talk, poll

pytestmark = pytest.mark.e2e

SECRET = "the host's own"
SWAP = """
b=/bin/busybox; $b mkdir /box; $b ln -s {host} /trap
while :; do $b mv -T /box /aside; $b mv -T /trap /box; $b mv -T /box /trap; $b mv -T /aside /box; done
"""


@pytest.fixture(autouse=True)
def no_containers(engine: RunningEngine) -> Iterator[None]:
    yield
    engine.remove_containers()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "host" / "file"
    file.parent.mkdir()
    file.write_text(SECRET)
    return file


def made(engine: RunningEngine, *command: str, options: tuple[str, ...] = (), runs: bool = True) -> str:
    words = ("run", "--detach") if runs else ("create",)
    return engine.docker(*words, "--network=none", *options, IMAGE, *command).strip()


@pytest.mark.parametrize("runs", [True, False])
def test_into_and_out_of_a_container(engine: RunningEngine, tmp_path: Path, runs: bool) -> None:
    name = made(engine, "sleep", "600", runs=runs)
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "file").write_text("content")
    (tree / "link").symlink_to("deep/file")
    engine.docker("cp", tree, f"{name}:/opt")
    engine.docker("cp", f"{name}:/opt", tmp_path / "back")
    assert (tmp_path / "back" / "deep" / "file").read_text() == "content"
    assert (tmp_path / "back" / "link").readlink() == Path("deep/file")
    assert "A /opt/deep/file" in engine.docker("diff", name)
    with pytest.raises(CommandFailed, match="Could not find the file /nosuch in container"):
        engine.docker("cp", f"{name}:/nosuch", tmp_path)
    if not runs:
        assert not [point for point in mounted_below(engine.directory) if name in str(point)]
        engine.docker("start", name)
    assert engine.docker("exec", name, "cat", "/opt/link") == "content"


def test_a_container_that_swaps_directories_for_links_reaches_no_file_of_the_host(
    engine: RunningEngine, tmp_path: Path, secret: Path
) -> None:
    """CVE-2018-15664, done by the container itself."""
    name = made(engine, "sh", "-c", SWAP.format(host=secret.parent))
    poll(lambda: "/trap" in engine.docker("diff", name))
    (tmp_path / "file").write_text("written")
    for number in range(5):
        for target in (f"{name}:/box/file", f"{name}:/box/."):
            try:
                engine.docker("cp", target, tmp_path / f"out{number}")
            except CommandFailed:
                continue
        try:
            engine.docker("cp", tmp_path / "file", f"{name}:/box/file")
        except CommandFailed:
            continue
    assert secret.read_text() == SECRET
    assert [each.name for each in secret.parent.iterdir()] == ["file"]
    assert not any(SECRET in file.read_text() for file in tmp_path.glob("out*") if file.is_file())


def test_read_only_roots_stay_so(engine: RunningEngine, tmp_path: Path) -> None:
    name = made(engine, "sleep", "600", options=("--read-only",))
    (tmp_path / "file").write_text("x")
    with pytest.raises(CommandFailed, match="container rootfs is marked read-only"):
        engine.docker("cp", tmp_path / "file", f"{name}:/file")


def test_what_is_bound_into_a_container_is_copied(engine: RunningEngine, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (tmp_path / "file").write_text("x")
    for runs, option in ((True, ""), (False, ""), (True, ":ro"), (False, ":ro")):
        name = made(engine, "sleep", "600", options=(f"--volume={shared}:/data{option}",), runs=runs)
        if option:
            with pytest.raises(CommandFailed, match="mounted volume is marked read-only"):
                engine.docker("cp", tmp_path / "file", f"{name}:/data/ro")
        else:
            engine.docker("cp", tmp_path / "file", f"{name}:/data/file{runs}")
    assert sorted(each.name for each in shared.iterdir()) == ["fileFalse", "fileTrue"]


def test_an_export_holds_the_root(engine: RunningEngine, tmp_path: Path) -> None:
    name = made(engine, "sh", "-c", "echo x > /file; sleep 600")
    poll(lambda: "A /file" in engine.docker("diff", name))
    engine.docker("export", "--output", tmp_path / "out.tar", name)
    with tarfile.open(tmp_path / "out.tar") as tar:
        assert {"file", "bin/busybox", "etc/hosts"} <= set(tar.getnames())


def test_a_client_that_vanishes_while_it_copies_leaves_nothing(engine: RunningEngine) -> None:
    name = made(engine, "sh", "-c", "busybox dd if=/dev/zero of=/big bs=1M count=50; sleep 600", runs=True)
    poll(lambda: engine.docker("exec", name, "wc", "-c", "/big").startswith("52428800"))
    for path in (f"/containers/{name}/archive?path=/big", f"/containers/{name}/export"):
        talk = Talk(engine, "GET", path, upgrade=False)
        assert talk.status == 200
        talk.close()
    assert engine.docker("exec", name, "echo", "alive") == "alive"
    poll(lambda: not children(engine, "archive_child"), "a process is left over")


def children(engine: RunningEngine, word: str) -> list[str]:
    """The daemon's processes whose command has a word."""
    assert engine.process is not None
    path = Path(f"/proc/{engine.process.pid}/task")
    pids = [pid for task in path.iterdir() for pid in (task / "children").read_text().split()]
    return [pid for pid in pids if word in Path(f"/proc/{pid}/cmdline").read_text()]


def test_a_commit_is_an_image_that_runs(engine: RunningEngine) -> None:
    name = made(engine, "sh", "-c", "echo made > /made; sleep 600", options=("--env=KEPT=1",))
    poll(lambda: "A /made" in engine.docker("diff", name))
    options = ("--author", "me", "--message", "why", "--change", "ENV ADDED=2", "--change", 'CMD ["cat", "/made"]')
    image = engine.docker("commit", *options, name, "team/committed:1").strip()
    assert engine.docker("run", "--rm", "--network=none", "team/committed:1") == "made"
    assert engine.docker("inspect", "--format", "{{.State.Status}}", name).strip() == "running"
    shown = engine.docker("inspect", "--format", '{{.Author}} {{.Comment}} {{join .Config.Env ","}}', image)
    author, comment, environment = shown.split()
    assert (author, comment) == ("me", "why")
    assert set(environment.split(",")) == {"PATH=/bin", "KEPT=1", "ADDED=2"}
    assert "why" in engine.docker("history", image)
    with pytest.raises(CommandFailed, match="is not a valid change command"):
        engine.docker("commit", "--change", "RUN x", name)
    with pytest.raises(CommandFailed, match="invalid reference format"):
        engine.docker("commit", name, "UPPER:1")


def test_a_tar_of_nonsense_is_refused(engine: RunningEngine) -> None:
    name = made(engine, "sleep", "600")
    with pytest.raises(CommandFailed, match=r"invalid tar header|unexpected EOF|checksum"):
        engine.docker("cp", "-", f"{name}:/", stdin="no tar " * 1000)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../out"))
    talk = Talk(engine, "GET", f"/containers/{name}/archive", upgrade=False)
    assert talk.status == 400
    talk.close()
