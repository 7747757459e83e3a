"""Every client pulls what every client pushed, and all name the digest that the server names.

A pull starts from an empty store, so all bytes cross the wire each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import (
    BuildahClient,
    Client,
    CraneClient,
    CtrClient,
    DockerClient,
    OrasClient,
    PodmanClient,
    Run,
    Samples,
    SkopeoClient,
)
from tests.parts.containerd import Containerd
from tests.parts.dockerd import Docker
from tests.parts.podman import Store
from tests.parts.registry_view import RegistryView
from tests.parts.server import Engine, RunningServer, start_moorage

pytestmark = pytest.mark.e2e

ENGINES: tuple[Engine, ...] = ("uvicorn", "granian")


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """This file's tests run on both engines."""
    with start_moorage(tmp_path_factory.mktemp("engine") / "data", workers=2, engine=request.param) as running:
        yield running


@pytest.fixture
def clients(
    docker: Docker,
    containerd: Containerd,
    store: Store,
    skopeo: Run,
    crane: Run,
    oras: Run,
    samples: Samples,
    tmp_path: Path,
) -> dict[str, Client]:
    """All seven."""
    return {
        "docker": DockerClient(docker, samples),
        "podman": PodmanClient(store, samples),
        "buildah": BuildahClient(store, samples),
        "skopeo": SkopeoClient(skopeo, samples, tmp_path),
        "crane": CraneClient(crane, samples, tmp_path),
        "oras": OrasClient(oras, samples, tmp_path),
        "ctr": CtrClient(containerd, samples),
    }


@pytest.mark.parametrize("pusher", ["docker", "podman", "buildah", "skopeo", "crane", "oras", "ctr"])
def test_pushed_by(pusher: str, clients: dict[str, Client], server: RunningServer, samples: Samples) -> None:
    view, repository = RegistryView(server.host), f"agreement/{pusher}"
    clients[pusher].push(f"{server.host}/{repository}:one")
    digest = view.digest(repository, "one")
    assert digest is not None
    if clients[pusher].keeps_bytes:
        assert digest == samples.digests["busybox"]
    pulled = {name: client.pull(f"{server.host}/{repository}:one") for name, client in clients.items()}
    assert pulled == dict.fromkeys(clients, digest)
