"""One daemon for the tests that do not kill it, and the image that they all run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import busybox_tar, docker_archive
from tests.parts.tools import require

IMAGE = "team/busybox:1"
COMMANDS = (
    "sh",
    "cat",
    "echo",
    "ls",
    "sleep",
    "true",
    "uname",
    "env",
    "head",
    "md5sum",
    "wc",
    "seq",
    "nslookup",
    "ping",
)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `docker load` reads."""
    path = tmp_path_factory.mktemp("image") / "busybox.tar"
    docker_archive(path, IMAGE, [busybox_tar(require("busybox"), COMMANDS)], command=("/bin/sh",))
    return path


@pytest.fixture(scope="package")
def engine(archive: Path) -> Iterator[RunningEngine]:
    """A daemon that holds the image."""
    with start_engine() as running:
        running.docker("load", "--input", archive)
        yield running
