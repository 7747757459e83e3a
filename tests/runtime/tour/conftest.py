"""One registry with accounts, one engine that has it as its default, and the service image in both."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import busybox_tar, docker_archive, tar_of
from tests.parts.netns import Namespace, new_namespace
from tests.parts.server import RunningServer, start_moorage
from tests.parts.tools import require
from tests.runtime.tour.clients import Client, client_of
from tests.runtime.tour.service_image import service_archive

SERVICE = "tour/base:1"
BUSYBOX = "tour/busybox:1"
COMMANDS = ("sh", "cat", "echo", "ls", "sleep", "true", "stty", "env", "id")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tour takes place."""

    engine: RunningEngine
    registry: RunningServer
    namespace: Namespace


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A live registry, and an engine in a namespace of its own that reaches it."""
    scratch = tmp_path_factory.mktemp("tour")
    with ExitStack() as stack:
        registry = stack.enter_context(start_moorage(scratch / "registry", accounts=True))
        namespace = stack.enter_context(new_namespace())
        stack.enter_context(namespace.let_in(registry.port))
        settings = {"MOOR_DEFAULT_REGISTRY": registry.host}
        engine = stack.enter_context(start_engine(namespace, settings))
        service_archive(scratch / "service.tar", SERVICE)
        engine.moor("load", "-i", scratch / "service.tar")
        docker_archive(
            scratch / "busybox.tar",
            BUSYBOX,
            [busybox_tar(require("busybox"), COMMANDS), tar_of({"tmp/.keep": b""})],
            command=("sh",),
        )
        engine.moor("load", "-i", scratch / "busybox.tar")
        yield Place(engine, registry, namespace)


@pytest.fixture(params=("moor", "docker"))
def client(request: pytest.FixtureRequest, place: Place) -> Iterator[Client]:
    """Each command line in turn, not yet logged in anywhere."""
    with tempfile.TemporaryDirectory(prefix="tour-") as config:
        yield client_of(request.param, place.engine, Path(config))
