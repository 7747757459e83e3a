"""Images in the stock client's hands, and archives that go to a real dockerd, to skopeo, and back."""

import functools
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker
import docker.errors
import pytest

from tests.parts.commands import CommandFailed, run
from tests.parts.containerd import start_containerd
from tests.parts.dockerd import start_dockerd
from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import busybox_tar, docker_archive, tar_of
from tests.parts.tools import require

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def engine() -> Iterator[RunningEngine]:
    """A live engine."""
    with start_engine() as running:
        yield running


@pytest.fixture
def archive(engine: RunningEngine, tmp_path: Path) -> Iterator[Path]:
    """An archive of an image that runs; its names are free before and afterwards."""
    path = tmp_path / "image.tar"
    layers = [busybox_tar(require("busybox")), tar_of({"tag": b"hello\n"})]
    docker_archive(path, "team/app:1", layers, command=["/bin/sh", "-c", "cat /tag"])
    yield path
    engine.remove_containers()
    engine.docker("image", "prune", "--all", "--force")


def test_an_image_is_loaded_named_shown_and_removed(engine: RunningEngine, archive: Path) -> None:
    assert engine.docker("load", "--input", archive) == "Loaded image: team/app:1"
    engine.docker("tag", "team/app:1", "nginx")
    listed = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}").splitlines()
    assert sorted(line.split()[0] for line in listed) == ["nginx:latest", "team/app:1"]
    assert engine.docker("images", "--quiet", "--filter", "reference=team/*").strip()
    assert len(engine.docker("history", "--quiet", "nginx").splitlines()) == 2
    shown = json.loads(engine.docker("image", "inspect", "nginx"))[0]
    assert shown["RepoTags"] == ["team/app:1", "nginx:latest"] and shown["Config"]["Env"] == ["PATH=/bin"]
    assert engine.docker("rmi", "team/app:1") == "Untagged: team/app:1"
    assert engine.docker("rmi", "nginx").splitlines()[1] == f"Deleted: {shown['Id']}"
    with pytest.raises(CommandFailed, match="No such image: nginx:latest"):
        engine.docker("image", "inspect", "nginx")


def test_an_image_in_use_is_not_removed(engine: RunningEngine, archive: Path) -> None:
    engine.docker("load", "--quiet", "--input", archive)
    container = engine.docker("create", "--network", "none", "team/app:1").strip()
    with pytest.raises(CommandFailed, match=f"must force. - container {container[:12]} is using its referenced image"):
        engine.docker("rmi", "team/app:1")
    engine.docker("rmi", "--force", "team/app:1")
    assert engine.docker("start", "--attach", container) == "hello"  # its layers are still there


def test_a_file_system_is_imported_and_runs(engine: RunningEngine, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "root.tar").write_bytes(busybox_tar(require("busybox")))
    engine.docker(
        "import", "--change", 'CMD ["/bin/echo", "imported"]', "--message", "m", tmp_path / "root.tar", "imp:1"
    )
    assert engine.docker("run", "--rm", "--network", "none", "imp:1") == "imported"
    with pytest.raises(CommandFailed, match="run is not a valid change command"):
        engine.docker("import", "--change", "RUN x", tmp_path / "root.tar")


def test_a_file_system_is_imported_from_a_url(engine: RunningEngine, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "root.tar").write_bytes(busybox_tar(require("busybox")))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, engine.namespace.let_in(server.server_port):
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            said = engine.docker("import", f"{url}/root.tar", "url:1")
            with pytest.raises(CommandFailed, match="status 404"):
                engine.docker("import", f"{url}/none.tar")
        finally:
            server.shutdown()
    assert engine.docker("image", "inspect", "--format", "{{.Id}}", "url:1").strip() == said.splitlines()[-1]


def test_a_bad_archive_is_refused_in_one_sentence(engine: RunningEngine, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tar").write_bytes(tar_of({"x": b"y"}))
    with pytest.raises(CommandFailed, match=r"does not contain a manifest\.json"):
        engine.docker("load", "--input", tmp_path / "bad.tar")
    with pytest.raises(CommandFailed, match="No such image: nope:latest"):
        engine.docker("save", "--output", tmp_path / "none.tar", "nope")


def test_skopeo_reads_what_is_saved(engine: RunningEngine, archive: Path, tmp_path: Path) -> None:
    skopeo = require("skopeo")
    engine.docker("load", "--quiet", "--input", archive)
    engine.docker("save", "--output", tmp_path / "saved.tar", "team/app:1")
    image = engine.docker("image", "inspect", "--format", "{{.Id}}", "team/app:1").strip()
    for source in (f"docker-archive:{tmp_path}/saved.tar:docker.io/team/app:1", f"oci-archive:{tmp_path}/saved.tar:1"):
        run(skopeo, "copy", source, f"dir:{tmp_path}/{source.partition(':')[0]}")
        manifest = json.loads((tmp_path / source.partition(":")[0] / "manifest.json").read_text())
        assert manifest["config"]["digest"] == image


@pytest.mark.slow
def test_archives_go_to_docker_and_back(engine: RunningEngine, archive: Path, tmp_path: Path) -> None:
    engine.docker("load", "--quiet", "--input", archive)
    image = engine.docker("image", "inspect", "--format", "{{.Id}}", "team/app:1").strip()
    engine.docker("save", "--output", tmp_path / "ours.tar", "team/app:1")
    directory, below = engine.directory / "dockerd", engine.directory / "containerd"
    directory.mkdir()
    below.mkdir()
    with (
        start_containerd(below) as containerd,
        start_dockerd(directory, containerd) as docker,
    ):
        assert "Loaded image: team/app:1" in docker("load", "--input", tmp_path / "ours.tar")
        assert docker("image", "inspect", "--format", "{{.Id}}", "team/app:1").strip() == image
        docker("save", "--output", tmp_path / "theirs.tar", "team/app:1")
    engine.docker("rmi", "team/app:1")
    with tarfile.open(tmp_path / "theirs.tar") as theirs:
        assert "manifest.json" in theirs.getnames()
    engine.docker("load", "--input", tmp_path / "theirs.tar")
    assert engine.docker("image", "inspect", "--format", "{{.Id}}", "team/app:1").strip() == image
    assert engine.docker("run", "--rm", "--network", "none", "team/app:1") == "hello"


def test_docker_py_does_the_same(engine: RunningEngine, archive: Path) -> None:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}")
    try:
        loaded = client.images.load(archive.read_bytes())
        assert [image.tags for image in loaded] == [["team/app:1"]]
        assert loaded[0].tag("copy", "2") and client.images.get("copy:2").id == loaded[0].id
        assert len(loaded[0].history()) == 2 and len(client.images.list("team/app")) == 1
        saved = b"".join(loaded[0].save(named=True))
        client.images.remove("team/app:1")
        client.images.remove("copy:2")
        with pytest.raises(docker.errors.ImageNotFound, match="No such image: copy:2"):
            client.images.get("copy:2")
        assert client.images.load(saved)[0].id == loaded[0].id
        assert client.images.prune({"dangling": False})["SpaceReclaimed"] > 0
    finally:
        client.close()
