"""Docker's daemon and command line: push, pull, run, copy, list, delete, manifest lists, as many layers as it takes.

It sends a blob by one chunked PATCH and an empty PUT, and mounts what it knows from another repository.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clients import Run, Samples
from tests.parts.commands import CommandFailed
from tests.parts.dockerd import Docker
from tests.parts.images import docker_archive, tar_of
from tests.parts.registry_view import RegistryView
from tests.parts.server import RunningServer

pytestmark = pytest.mark.e2e

MOST_LAYERS = 125  # what dockerd's layer store allows


def push_sample(docker: Docker, samples: Samples, reference: str) -> str:
    """Push the image that prints "docker"; returns what the client says."""
    docker("load", "--quiet", "--input", samples.docker_archive)
    docker("tag", "moorage/sample:latest", reference)
    return docker("push", reference)


def test_push_pull_run(
    docker: Docker, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    reference = f"{server.host}/{repository}:1.0"
    said = push_sample(docker, samples, reference)
    digest = view.digest(repository, "1.0")
    assert f"digest: {digest}" in said
    docker("image", "prune", "--all", "--force")
    assert docker("run", "--rm", "--network=none", reference) == "docker"
    assert docker.digest(reference) == digest


def test_pull_by_digest(
    docker: Docker, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    push_sample(docker, samples, f"{server.host}/{repository}:1.0")
    docker("image", "prune", "--all", "--force")
    pinned = f"{server.host}/{repository}@{view.digest(repository, '1.0')}"
    assert f"Digest: {pinned.partition('@')[2]}" in docker("pull", pinned)
    assert docker("run", "--rm", "--network=none", pinned) == "docker"


def test_copy_to_another_repository_mounts_the_layers(
    docker: Docker, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    push_sample(docker, samples, f"{server.host}/{repository}/one:1.0")
    docker("tag", f"{server.host}/{repository}/one:1.0", f"{server.host}/{repository}/two:1.0")
    said = docker("push", f"{server.host}/{repository}/two:1.0")
    assert said.count(f"Mounted from {repository}/one") == 2
    assert view.digest(f"{repository}/two", "1.0") == view.digest(f"{repository}/one", "1.0")


def test_all_tags_at_once(
    docker: Docker, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    docker("load", "--quiet", "--input", samples.docker_archive)
    for tag in ("1", "2", "3"):
        docker("tag", "moorage/sample:latest", f"{server.host}/{repository}:{tag}")
    docker("push", "--all-tags", f"{server.host}/{repository}")
    assert view.tags(repository) == ["1", "2", "3"]
    docker("image", "prune", "--all", "--force")
    docker("pull", "--all-tags", f"{server.host}/{repository}")
    listed = docker("image", "ls", "--format", "{{.Tag}}", f"{server.host}/{repository}").splitlines()
    assert sorted(listed) == ["1", "2", "3"]


def test_a_deleted_image_is_gone(
    docker: Docker, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    push_sample(docker, samples, f"{server.host}/{repository}:1.0")
    docker("image", "prune", "--all", "--force")
    digest = view.digest(repository, "1.0")
    assert digest is not None
    assert view.delete(repository, digest) == 202
    with pytest.raises(CommandFailed, match=r"manifest unknown|not found"):
        docker("pull", f"{server.host}/{repository}:1.0")
    push_sample(docker, samples, f"{server.host}/{repository}:1.0")
    assert view.digest(repository, "1.0") == digest


def test_manifest_list_made_by_the_client(
    docker: Docker, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    parts = [f"{server.host}/{repository}:{name}" for name in ("amd64", "arm64")]
    for part in parts:
        push_sample(docker, samples, part)
    whole = f"{server.host}/{repository}:list"
    docker("manifest", "create", "--insecure", whole, *parts)
    docker("manifest", "annotate", "--arch", "arm64", whole, parts[1])
    digest = docker("manifest", "push", "--insecure", "--purge", whole).splitlines()[-1]
    assert view.digest(repository, "list") == digest
    assert view.manifest(repository, "list")["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    docker("image", "prune", "--all", "--force")
    assert docker("run", "--rm", "--network=none", whole) == "docker"


def test_index_by_platform(
    docker: Docker, skopeo: Run, samples: Samples, server: RunningServer, repository: str
) -> None:
    reference = f"{server.host}/{repository}:both"
    skopeo(
        "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", samples.oci("both"), f"docker://{reference}"
    )
    for architecture in ("arm64", "amd64"):
        docker("pull", "--quiet", f"--platform=linux/{architecture}", reference)
        assert docker("image", "inspect", "--format", "{{.Architecture}}", reference) == architecture


def test_125_layers(docker: Docker, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path) -> None:
    reference = f"{server.host}/{repository}:many"
    layers = [tar_of({f"layer-{number}": str(number).encode()}) for number in range(MOST_LAYERS)]
    docker_archive(tmp_path / "many.tar", reference, layers)
    docker("load", "--quiet", "--input", tmp_path / "many.tar")
    docker("push", "--quiet", reference)
    assert len(view.manifest(repository, "many")["layers"]) == MOST_LAYERS
    before = docker("image", "inspect", "--format", "{{.RootFS.Layers}}", reference)
    docker("image", "prune", "--all", "--force")
    docker("pull", "--quiet", reference)
    assert docker("image", "inspect", "--format", "{{.RootFS.Layers}}", reference) == before
