"""containerd's `ctr`: push, pull, run, copy, list, delete, all platforms of an index.

It sends a blob by one PUT with its length, and skips a manifest PUT when HEAD shows the same digest.
"""

from __future__ import annotations

import pytest

from tests.e2e.clients import CtrClient, Run, Samples
from tests.parts.commands import CommandFailed
from tests.parts.containerd import Containerd
from tests.parts.registry_view import RegistryView
from tests.parts.server import RunningServer

pytestmark = pytest.mark.e2e


def test_push_pull_run(
    containerd: Containerd, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    reference = f"{server.host}/{repository}:1"
    client = CtrClient(containerd, samples)
    client.push(reference)
    assert view.digest(repository, "1") == samples.digests["busybox"]
    assert client.pull(reference) == samples.digests["busybox"]
    assert containerd("run", "--rm", "--snapshotter=native", reference, "e2e-run") == "busybox"


def test_copy_and_list(
    containerd: Containerd, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    first, second = f"{server.host}/{repository}:1", f"{server.host}/{repository}/copy:1"
    client = CtrClient(containerd, samples)
    client.push(first)
    client.pull(first)
    containerd("images", "tag", first, second)
    containerd("images", "push", "--plain-http", second)
    assert view.digest(f"{repository}/copy", "1") == samples.digests["busybox"]
    assert containerd.digests() == {first: samples.digests["busybox"], second: samples.digests["busybox"]}


def test_a_deleted_image_is_gone(
    containerd: Containerd, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    reference = f"{server.host}/{repository}:1"
    client = CtrClient(containerd, samples)
    client.push(reference)
    assert view.delete(repository, "1") == 202
    with pytest.raises(CommandFailed, match="not found"):
        client.pull(reference)
    client.push(reference)
    assert client.pull(reference) == samples.digests["busybox"]


def test_every_platform_of_an_index(
    containerd: Containerd, skopeo: Run, samples: Samples, server: RunningServer, view: RegistryView, repository: str
) -> None:
    first, second = f"{server.host}/{repository}:both", f"{server.host}/{repository}/copy:both"
    skopeo("copy", "--all", "--preserve-digests", "--dest-tls-verify=false", samples.oci("both"), f"docker://{first}")
    containerd("images", "pull", "--plain-http", "--all-platforms", "--snapshotter=native", first)
    containerd("images", "tag", "--force", first, second)
    containerd("images", "push", "--plain-http", second)
    assert view.digest(f"{repository}/copy", "both") == samples.digests["both"]
