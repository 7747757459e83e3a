"""skopeo: copy in, out and across, inspect, list, delete, indexes and zstd layers.

--preserve-digests everywhere: otherwise its cache of the machine may put another packing of a layer in place.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.clients import Run, Samples
from tests.parts.commands import CommandFailed
from tests.parts.registry_view import RegistryView
from tests.parts.server import RunningServer

pytestmark = pytest.mark.e2e

PLAIN_SOURCE = ("--preserve-digests", "--src-tls-verify=false")
PLAIN_TARGET = ("--preserve-digests", "--dest-tls-verify=false")
PLAIN = (*PLAIN_SOURCE, "--dest-tls-verify=false")


@pytest.mark.parametrize("name", ["busybox", "zstd", "both"])
def test_copy_in_across_and_out(
    name: str,
    skopeo: Run,
    samples: Samples,
    server: RunningServer,
    view: RegistryView,
    repository: str,
    tmp_path: Path,
) -> None:
    first, second = f"docker://{server.host}/{repository}:{name}", f"docker://{server.host}/{repository}/copy:{name}"
    skopeo("copy", "--all", *PLAIN_TARGET, samples.oci(name), first)
    skopeo("copy", "--all", *PLAIN, first, second)
    skopeo("copy", "--all", *PLAIN_SOURCE, second, f"oci:{tmp_path}/out:{name}")
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index["manifests"][0]["digest"] == samples.digests[name]
    assert view.digest(f"{repository}/copy", name) == view.digest(repository, name) == samples.digests[name]


def test_inspect_and_list(skopeo: Run, samples: Samples, server: RunningServer, repository: str) -> None:
    reference = f"docker://{server.host}/{repository}"
    for tag in ("b", "a", "C"):
        skopeo("copy", *PLAIN_TARGET, samples.oci("busybox"), f"{reference}:{tag}")
    inspected = json.loads(skopeo("inspect", "--tls-verify=false", f"{reference}:a"))
    assert inspected["Digest"] == samples.digests["busybox"]
    assert sorted(inspected["RepoTags"]) == ["C", "a", "b"]
    assert json.loads(skopeo("list-tags", "--tls-verify=false", reference))["Tags"] == ["C", "a", "b"]


def test_delete_takes_the_manifest_and_its_tags(
    skopeo: Run, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    for tag in ("one", "two"):
        skopeo("copy", *PLAIN_TARGET, samples.oci("busybox"), f"docker://{server.host}/{repository}:{tag}")
    skopeo("delete", "--tls-verify=false", f"docker://{server.host}/{repository}:one")
    assert view.tags(repository) == []
    with pytest.raises(CommandFailed, match="manifest unknown"):
        skopeo("inspect", "--tls-verify=false", f"docker://{server.host}/{repository}:two")


def test_sync_of_a_whole_repository(
    skopeo: Run, samples: Samples, server: RunningServer, repository: str, tmp_path: Path
) -> None:
    for tag in ("1", "2"):
        skopeo("copy", *PLAIN_TARGET, samples.oci("busybox"), f"docker://{server.host}/{repository}:{tag}")
    source = f"{server.host}/{repository}"
    skopeo("sync", "--src=docker", "--dest=dir", "--src-tls-verify=false", "--scoped", source, tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*:*") if path.is_dir() and ":" in path.name[-2:]) == [
        f"{repository.rpartition('/')[2]}:{tag}" for tag in ("1", "2")
    ]
