"""One live server, one daemon of each kind and one set of images for all tests of real clients."""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.clients import Run, Samples
from tests.parts.commands import run
from tests.parts.containerd import Containerd, start_containerd
from tests.parts.dockerd import Docker, start_dockerd
from tests.parts.images import Layout, busybox_image, busybox_tar, docker_archive, multi_arch_image, tar_of
from tests.parts.podman import Store, open_store
from tests.parts.registry_view import RegistryView
from tests.parts.server import RunningServer, start_moorage
from tests.parts.tools import require


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server under test, with two workers, so that no client may count on meeting the same process twice."""
    with start_moorage(tmp_path_factory.mktemp("server") / "data", workers=2) as running:
        yield running


@pytest.fixture(scope="session")
def view(server: RunningServer) -> RegistryView:
    """The server as plain HTTP shows it."""
    return RegistryView(server.host)


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository name that only this test uses: its file's, then its own."""
    file = request.node.path.stem.removeprefix("test_")
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_")).strip("-")
    return f"{file}/{test}"


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """The images that clients push."""
    busybox = require("busybox")
    directory = tmp_path_factory.mktemp("samples")
    digests = {
        "busybox": busybox_image(Layout(directory / "busybox"), busybox, "busybox").digest,
        "zstd": busybox_image(Layout(directory / "zstd"), busybox, "zstd", compression="zstd").digest,
        "both": multi_arch_image(Layout(directory / "both"), busybox, "both").digest,
    }
    archive = directory / "layout.tar"
    with tarfile.open(archive, "w") as tar:
        for entry in sorted((directory / "busybox").iterdir()):
            tar.add(entry, entry.name)
    loadable = directory / "docker.tar"
    layers = [busybox_tar(busybox), tar_of({"tag": b"docker"})]
    docker_archive(loadable, "moorage/sample:latest", layers, command=["/bin/sh", "-c", "cat /tag"])
    return Samples(directory, archive, loadable, digests)


@pytest.fixture(scope="session")
def containerd() -> Iterator[Containerd]:
    """A containerd for the session."""
    with short_directory() as directory, start_containerd(directory) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def docker(containerd: Containerd) -> Iterator[Docker]:
    """A Docker daemon for the session."""
    with short_directory() as directory, start_dockerd(directory, containerd) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    """podman's and buildah's images."""
    with short_directory() as directory, open_store(directory) as opened:
        yield opened


@pytest.fixture(scope="session")
def skopeo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """skopeo, without the user's logins; whose signatures the machine trusts is none of the tests' business."""
    logins = tmp_path_factory.mktemp("skopeo") / "auth.json"
    logins.write_text("{}")
    return partial(run, require("skopeo"), "--insecure-policy", environment={"REGISTRY_AUTH_FILE": str(logins)})


@pytest.fixture(scope="session")
def crane(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """crane, without the user's logins; it speaks plain HTTP to loopback addresses by itself."""
    return partial(run, require("crane"), environment={"DOCKER_CONFIG": str(tmp_path_factory.mktemp("crane"))})


@pytest.fixture(scope="session")
def oras(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """oras, without the user's logins, and told to speak plain HTTP."""
    program, environment = require("oras"), {"DOCKER_CONFIG": str(tmp_path_factory.mktemp("oras"))}

    def call(*words: str | Path, cwd: Path | None = None) -> str:
        plain = ("--from-plain-http", "--to-plain-http") if words[0] == "copy" else ("--plain-http",)
        return run(program, *words, *plain, environment=environment, cwd=cwd)

    return call


@contextmanager
def short_directory() -> Iterator[Path]:
    """A temporary directory whose path is short enough for Unix sockets, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="moorage-", dir="/tmp") as path:
        yield Path(path)
