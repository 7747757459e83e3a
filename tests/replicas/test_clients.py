"""docker, skopeo and crane through the proxy: an image of several layers goes up by both replicas and comes back whole.

Also while one of the replicas is killed and started again, when a push may be typed four times at most.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.clients import Run
from tests.e2e.conftest import containerd, crane, docker, skopeo
from tests.parts.commands import CommandFailed
from tests.parts.dockerd import Docker
from tests.parts.images import Layout, docker_archive, tar_of
from tests.parts.replicas import Replicas
from tests.parts.server import RunningServer

__all__ = ["containerd", "crane", "docker", "skopeo"]

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]

SIZES = (1_000, 200_000, 3_000_000, 9_000_000, 12_000_000)
TRIES = 4
KILLED_AFTER = 0.5  # seconds of a push


def tars(seed: str) -> list[bytes]:
    """Give the layers of an image, which no other seed shares."""
    draw = random.Random(seed)
    return [tar_of({f"file{size}": draw.randbytes(size)}) for size in SIZES]


def layout(path: Path, seed: str) -> tuple[Path, str]:
    """Write an image; give where, and its digest."""
    image = Layout(path)
    return path, image.tag("image", image.image([image.layer(tar) for tar in tars(seed)])).digest


@contextmanager
def killed_meanwhile(victim: RunningServer) -> Iterator[None]:
    """Kill a replica a moment after the block begins; start it again when the block has ended."""
    timer = threading.Timer(KILLED_AFTER, victim.kill)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        victim.start()


def tried(push: Callable[[], object]) -> int:
    """Type a push again until it works; give how often it took."""
    for number in range(1, TRIES):
        try:
            push()
            return number
        except CommandFailed:
            continue
    push()
    return TRIES


def by_both(replicas: Replicas, repository: str) -> bool:
    """Tell whether each replica answered requests of an upload."""
    turns = replicas.proxy.turns(f"/v2/{repository}/blobs/uploads/")
    return {turn.port for turn in turns} == {server.port for server in replicas.servers}


def test_crane(replicas: Replicas, crane: Run, tmp_path: Path) -> None:
    reference = f"{replicas.proxy.host}/clients/crane:image"
    path, digest = layout(tmp_path / "layout", "crane")
    crane("push", path, reference)
    assert crane("digest", reference) == digest
    crane("validate", "--remote", reference)
    assert by_both(replicas, "clients/crane")


def test_skopeo(replicas: Replicas, skopeo: Run, tmp_path: Path) -> None:
    target = f"docker://{replicas.proxy.host}/clients/skopeo:image"
    path, digest = layout(tmp_path / "layout", "skopeo")
    skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{path}:image", target)
    _pulled_by_skopeo(skopeo, target, digest, tmp_path)
    assert by_both(replicas, "clients/skopeo")


def test_skopeo_while_a_replica_is_killed(replicas: Replicas, skopeo: Run, tmp_path: Path) -> None:
    target = f"docker://{replicas.proxy.host}/clients/skopeo-killed:image"
    path, digest = layout(tmp_path / "layout", "skopeo, killed")
    copy = ("copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{path}:image", target)
    with killed_meanwhile(replicas.servers[0]):
        print(f"skopeo: {tried(lambda: skopeo(*copy))} tries")
    _pulled_by_skopeo(skopeo, target, digest, tmp_path)


def _pulled_by_skopeo(skopeo: Run, target: str, digest: str, scratch: Path) -> None:
    found = scratch / "digest"
    skopeo("copy", "--src-tls-verify=false", f"--digestfile={found}", target, f"dir:{scratch}/image")
    assert found.read_text().strip() == digest


def test_docker(replicas: Replicas, docker: Docker, crane: Run, tmp_path: Path) -> None:
    reference = _loaded(replicas, docker, "docker", tmp_path)
    docker("push", "--quiet", reference)
    _pulled_by_docker(docker, crane, reference)
    assert by_both(replicas, "clients/docker")


def test_docker_while_a_replica_is_killed(replicas: Replicas, docker: Docker, crane: Run, tmp_path: Path) -> None:
    reference = _loaded(replicas, docker, "docker-killed", tmp_path)
    with killed_meanwhile(replicas.servers[1]):
        print(f"docker: {tried(lambda: docker('push', '--quiet', reference))} tries")
    _pulled_by_docker(docker, crane, reference)


def _loaded(replicas: Replicas, docker: Docker, name: str, scratch: Path) -> str:
    archive, reference = scratch / f"{name}.tar", f"{replicas.proxy.host}/clients/{name}:image"
    docker_archive(archive, reference, tars(name))
    docker("load", "--quiet", "--input", archive)
    return reference


def _pulled_by_docker(docker: Docker, crane: Run, reference: str) -> None:
    """Pull into an empty store, where docker checks every digest; crane checks what lies in the registry."""
    digest = docker.digest(reference)
    docker("image", "rm", "--force", reference)
    docker("pull", "--quiet", reference)
    assert docker.digest(reference) == digest
    crane("validate", "--remote", reference)
