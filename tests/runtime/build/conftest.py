"""One daemon for the tests that do not kill it, with the image that they build on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import busybox_tar, docker_archive
from tests.parts.tools import require

COMMANDS = (
    "cat",
    "chmod",
    "echo",
    "env",
    "find",
    "id",
    "ln",
    "ls",
    "mkdir",
    "rm",
    "sh",
    "sleep",
    "stat",
    "touch",
    "true",
)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `docker load` reads."""
    path = tmp_path_factory.mktemp("image") / "busybox.tar"
    docker_archive(path, "busybox:latest", [busybox_tar(require("busybox"), COMMANDS)], command=("/bin/sh",))
    return path


@pytest.fixture(scope="package")
def engine(base: Path) -> Iterator[RunningEngine]:
    """A daemon that holds the image."""
    with start_engine() as running:
        running.docker("load", "--input", base)
        yield running
