"""podman: push, pull, run, copy, list, delete, manifest lists, zstd layers.

It deletes only its own copies; what is deleted in the registry, it must no longer find.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.clients import Run, Samples
from tests.parts.commands import CommandFailed
from tests.parts.images import Layout, noise_tar
from tests.parts.podman import Store
from tests.parts.registry_view import RegistryView
from tests.parts.server import RunningServer

pytestmark = pytest.mark.e2e


def push_sample(store: Store, samples: Samples, reference: str) -> None:
    """Push the image that prints its tag, "busybox"."""
    identity = store.podman("pull", "--quiet", samples.oci("busybox"))
    store.podman("push", "--quiet", "--tls-verify=false", identity, f"docker://{reference}")


def test_push_pull_run(store: Store, samples: Samples, server: RunningServer, repository: str) -> None:
    reference = f"{server.host}/{repository}:1.0"
    push_sample(store, samples, reference)
    store.podman("rmi", "--all", "--force")
    assert store.run_image(reference) == "busybox"


def test_copy_and_list(
    store: Store, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    reference = f"{server.host}/{repository}:1.0"
    push_sample(store, samples, reference)
    store.podman("pull", "--quiet", "--tls-verify=false", reference)
    for tag in ("1.0", "2.0"):
        copy = f"{server.host}/{repository}/copy:{tag}"
        store.podman("push", "--quiet", "--tls-verify=false", reference, f"docker://{copy}")
    rows = store.podman(
        "search", "--tls-verify=false", "--list-tags", "--format=json", f"{server.host}/{repository}/copy"
    )
    assert json.loads(rows)[0]["Tags"] == ["1.0", "2.0"]
    assert view.tags(f"{repository}/copy") == ["1.0", "2.0"]
    found = store.podman("search", "--tls-verify=false", "--limit=100", "--format={{.Name}}", f"{server.host}/copy")
    assert f"{server.host}/{repository}/copy" in found.splitlines()


def test_a_deleted_image_is_gone(
    store: Store, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    push_sample(store, samples, f"{server.host}/{repository}:1.0")
    assert view.delete(repository, "1.0") == 202
    with pytest.raises(CommandFailed, match="manifest unknown"):
        store.podman("pull", "--tls-verify=false", f"{server.host}/{repository}:1.0")


def test_manifest_list(
    store: Store, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    push_sample(store, samples, f"{server.host}/{repository}:1.0")
    name = f"localhost/{repository}:list"
    store.podman("manifest", "create", name)
    store.podman("manifest", "add", "--tls-verify=false", name, f"docker://{server.host}/{repository}:1.0")
    target = f"docker://{server.host}/{repository}:list"
    store.podman("manifest", "push", "--all", "--tls-verify=false", name, target)
    platforms = [child["platform"]["architecture"] for child in view.manifest(repository, "list")["manifests"]]
    assert platforms == ["amd64"]
    assert store.run_image(f"{server.host}/{repository}:list") == "busybox"


def test_zstd_layers_pushed(
    store: Store, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path
) -> None:
    # New bytes: where the registry has a layer packed in another way, podman takes that instead.
    layout = Layout(tmp_path)
    layout.tag("new", layout.image([layout.layer(noise_tar("noise", 100_000))]))
    identity = store.podman("pull", "--quiet", f"oci:{tmp_path}:new")
    target = f"docker://{server.host}/{repository}:zstd"
    store.podman("push", "--quiet", "--tls-verify=false", "--compression-format=zstd", identity, target)
    layers = view.manifest(repository, "zstd")["layers"]
    assert [layer["mediaType"] for layer in layers] == ["application/vnd.oci.image.layer.v1.tar+zstd"]
    store.podman("rmi", "--all", "--force")
    assert store.podman("pull", "--quiet", "--tls-verify=false", target) == identity


def test_zstd_layers_of_another_client(
    store: Store, skopeo: Run, samples: Samples, server: RunningServer, repository: str
) -> None:
    reference = f"{server.host}/{repository}:zstd"
    skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", samples.oci("zstd"), f"docker://{reference}")
    store.podman("rmi", "--all", "--force")
    assert store.run_image(reference) == "zstd"
