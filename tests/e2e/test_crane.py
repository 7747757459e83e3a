"""crane: push, pull, copy, tag, list, validate, delete, and images it changes by itself.

`crane validate` reads every blob and compares digests, sizes and the diff ids of the config.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.clients import Run, Samples
from tests.parts.commands import CommandFailed
from tests.parts.images import tar_of
from tests.parts.registry_view import RegistryView
from tests.parts.server import RunningServer

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", ["busybox", "zstd"])
def test_push_copy_pull(
    name: str, crane: Run, samples: Samples, server: RunningServer, repository: str, tmp_path: Path
) -> None:
    first, second = f"{server.host}/{repository}:{name}", f"{server.host}/{repository}/copy:{name}"
    crane("push", samples.layout(name), first)
    crane("copy", first, second)
    crane("pull", "--format=oci", second, tmp_path / "out")
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index["manifests"][0]["digest"] == samples.digests[name]
    assert crane("digest", second) == samples.digests[name]
    if name == "busybox":
        crane("validate", "--remote", second)  # it unpacks, and knows no zstd


def test_index(
    crane: Run, skopeo: Run, samples: Samples, server: RunningServer, repository: str, tmp_path: Path
) -> None:
    first, second = f"{server.host}/{repository}:both", f"{server.host}/{repository}/copy:both"
    skopeo("copy", "--all", "--preserve-digests", "--dest-tls-verify=false", samples.oci("both"), f"docker://{first}")
    crane("copy", first, second)
    assert crane("digest", second) == samples.digests["both"]
    crane("validate", "--remote", second)
    crane("pull", "--platform=linux/arm64", "--format=oci", second, tmp_path / "out")
    assert json.loads(crane("config", "--platform=linux/arm64", second))["architecture"] == "arm64"


def test_list_tag_delete(
    crane: Run, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    reference = f"{server.host}/{repository}"
    crane("push", samples.layout("busybox"), f"{reference}:1")
    crane("tag", f"{reference}:1", "latest")
    assert crane("ls", reference).splitlines() == ["1", "latest"]
    assert repository in crane("catalog", server.host).splitlines()
    crane("delete", f"{reference}:latest")
    assert crane("ls", reference).splitlines() == ["1"]
    crane("delete", f"{reference}@{samples.digests['busybox']}")
    assert view.tags(repository) == []
    with pytest.raises(CommandFailed, match="MANIFEST_UNKNOWN"):
        crane("manifest", f"{reference}:1")


def test_append_and_mutate(
    crane: Run, samples: Samples, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path
) -> None:
    base, changed = f"{server.host}/{repository}:base", f"{server.host}/{repository}:changed"
    crane("push", samples.layout("busybox"), base)
    (tmp_path / "layer.tar").write_bytes(tar_of({"more": b"more"}))
    crane("append", f"--base={base}", f"--new_layer={tmp_path}/layer.tar", f"--new_tag={changed}")
    crane("mutate", "--label=changed=yes", changed)
    assert json.loads(crane("config", changed))["config"]["Labels"] == {"changed": "yes"}
    assert len(view.manifest(repository, "changed")["layers"]) == 3
    crane("validate", "--remote", changed)
