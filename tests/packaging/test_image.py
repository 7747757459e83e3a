"""The Dockerfile, built by a real Docker daemon on this machine's own distribution, and run as it is meant to be.

Neither the build nor the container has a network of its own: packages come from a wheelhouse, and the server listens
on a loopback port of this machine.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.sources import PRODUCT, ROOT
from tests.packaging.base_image import base_tar, wheelhouse
from tests.packaging.blobs import has_blob, push_blob
from tests.parts.commands import CommandFailed, run
from tests.parts.containerd import start_containerd
from tests.parts.dockerd import Docker, start_dockerd
from tests.parts.images import busybox_tar
from tests.parts.server import answers, free_port
from tests.parts.tools import require

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

IMAGE = "moorage:test"
PYTHON_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
ALONE = ("--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    """A Docker daemon for these tests, in a short directory."""
    with contextlib.ExitStack() as stack:
        directory = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moorage-"))) for _ in range(2)]
        containerd = stack.enter_context(start_containerd(directory[0]))
        yield stack.enter_context(start_dockerd(directory[1], containerd))


@pytest.fixture(scope="module")
def image(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The server's image."""
    docker("import", base_tar(), "base:test")
    version = docker("run", "--rm", "--network=none", "base:test", "python3", "-c", PYTHON_VERSION)
    context = tmp_path_factory.mktemp("context")
    for name in (*PRODUCT, "requirements"):
        shutil.copytree(ROOT / name, context / name)
    for name in ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, context / name)
    (context / "secret").write_text("not for an image")
    shutil.copytree(wheelhouse(version), context / "wheelhouse")
    run(
        *(docker.client, "--config", docker.config, "--host", docker.address, "build", "--network=none"),
        *("--build-arg=BASE=base:test", "--build-arg=PIP_ARGS=--no-index --find-links=wheelhouse"),
        *("--tag", IMAGE, context),
        environment={"DOCKER_BUILDKIT": "0"},
    )
    return IMAGE


class Container:
    """One container of the image that serves on a port of this machine."""

    def __init__(self, docker: Docker, name: str, *options: str) -> None:
        self.docker, self.name, self.port = docker, name, free_port()
        listen = f"--env=MOORAGE_SERVER__LISTEN=127.0.0.1:{self.port}"
        docker("run", "--detach", "--name", name, *ALONE, listen, *options, IMAGE, "--open")
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return once it is ready; what it says is the message if that takes too long."""
        limit = time.monotonic() + 60
        while not answers(self.port):
            assert time.monotonic() < limit, self.said()
            time.sleep(0.1)

    def said(self) -> str:
        """What the server wrote, which is on its standard error."""
        command = [self.docker.client, "--host", self.docker.address, "logs", self.name]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout


@pytest.fixture(scope="module")
def container(docker: Docker, image: str) -> Iterator[Container]:
    """A running server with its data on a named volume."""
    yield Container(docker, "served", "--volume=data:/var/lib/moorage")
    docker("rm", "--force", "served")


def test_it_serves_as_nobody_on_a_read_only_root(docker: Docker, container: Container) -> None:
    processes = docker("top", "served", "-eo", "uid,pid,args").splitlines()[1:]
    assert processes
    assert {line.split()[0] for line in processes} == {"10001"}
    probe = "import pathlib; pathlib.Path('/opt/moorage/x').write_text('')"
    with pytest.raises(CommandFailed, match="Read-only file system"):
        docker("exec", "served", "python3", "-c", probe)


def test_docker_pushes_to_it_and_pulls_back(docker: Docker, container: Container, tmp_path: Path) -> None:
    tar = tmp_path / "busybox.tar"
    tar.write_bytes(busybox_tar(require("busybox")))
    reference = f"127.0.0.1:{container.port}/packaging/busybox:1"
    docker("import", tar, reference)
    docker("push", reference)
    pushed = docker.digest(reference)
    docker("rmi", reference)
    docker("pull", reference)
    assert docker.digest(reference) == pushed
    said = docker("run", "--rm", "--network=none", reference, "/bin/busybox", "echo", "pulled")
    assert said == "pulled"


def test_a_new_container_finds_the_data_of_the_old(docker: Docker, container: Container) -> None:
    other = Container(docker, "first", "--volume=kept:/var/lib/moorage")
    assert push_blob(other.port, b"kept") == 201
    docker("stop", "--time=30", "first")
    assert docker("inspect", "--format={{.State.ExitCode}}", "first") == "0"
    docker("rm", "first")
    assert has_blob(Container(docker, "second", "--volume=kept:/var/lib/moorage").port, b"kept")
    docker("rm", "--force", "second")


def test_its_health_is_told(docker: Docker, container: Container) -> None:
    limit = time.monotonic() + 60
    while docker("inspect", "--format={{.State.Health.Status}}", "served") != "healthy":
        assert time.monotonic() < limit, docker("inspect", "--format={{json .State.Health}}", "served")
        time.sleep(0.5)


def test_it_opens_to_everyone_only_when_told_twice(docker: Docker, image: str) -> None:
    command = [docker.client, "--host", docker.address, "run", "--rm", "--network=none", image, "--open"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "--open-to-everyone" in done.stderr


def test_without_a_word_it_has_accounts_and_tells_how_to_sign_in(docker: Docker, image: str) -> None:
    port = free_port()
    docker("run", "--detach", "--name", "guarded", *ALONE, f"--env=MOORAGE_SERVER__LISTEN=127.0.0.1:{port}", IMAGE)
    limit = time.monotonic() + 60
    while not answers(port):
        assert time.monotonic() < limit
        time.sleep(0.1)
    command = [docker.client, "--host", docker.address, "logs", "guarded"]
    words: list[str] = []
    while not words:  # they are said just after the first answer
        assert time.monotonic() < limit
        said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        words = said.partition("Sign in as admin with the password ")[2].split()
    password = words[0]
    docker("login", "--username=admin", f"--password={password}", f"127.0.0.1:{port}")
    assert "admin" in docker("exec", "guarded", "moorage", "user", "list")
    docker("logout", f"127.0.0.1:{port}")
    docker("rm", "--force", "--volumes", "guarded")


def test_it_holds_what_it_runs_and_nothing_else(docker: Docker, image: str) -> None:
    shell = ("run", "--rm", "--network=none", "--entrypoint=sh", image, "-c")
    assert docker(*shell, "ls /opt/moorage/bin | grep -E '^(pip|moorage)'") == "moorage"
    assert docker(*shell, "find / -xdev -name secret -o -xdev -name 'wheelhouse*' -o -xdev -path '/src/*' | head") == ""
    history = docker("history", "--no-trunc", "--format={{.CreatedBy}}", image)
    assert "://" not in history.replace("http://127.0.0.1", "")  # its own health, and no address of a package index
