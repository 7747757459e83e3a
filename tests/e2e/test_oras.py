"""oras: artifacts with and without a subject, referrers, blobs, copies, lists and deletes.

It falls back to tags for referrers where a registry has none, which must not happen here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import Run, Samples
from tests.parts.commands import CommandFailed
from tests.parts.registry_view import RegistryView
from tests.parts.server import RunningServer

pytestmark = pytest.mark.e2e

KIND = "application/vnd.moorage.test"


def push_file(oras: Run, directory: Path, reference: str) -> str:
    """Push an artifact that holds one file; returns its digest."""
    (directory / "file.txt").write_text("content")
    oras("push", f"--artifact-type={KIND}", reference, "file.txt:text/plain", cwd=directory)
    return str(oras("resolve", reference))


def referrers(oras: Run, reference: str, *options: str) -> list[dict[str, Any]]:
    """What `oras discover` finds one level below the reference."""
    found = json.loads(oras("discover", "--format=json", "--depth=1", *options, reference))
    return list(found.get("referrers") or [])


def test_push_pull_a_file(
    oras: Run, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path
) -> None:
    reference = f"{server.host}/{repository}:1"
    digest = push_file(oras, tmp_path, reference)
    assert view.digest(repository, "1") == digest
    oras("pull", f"--output={tmp_path}/out", reference)
    assert (tmp_path / "out" / "file.txt").read_text() == "content"
    assert view.manifest(repository, "1")["artifactType"] == KIND


def test_attach_and_discover(
    oras: Run, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path
) -> None:
    reference = f"{server.host}/{repository}:1"
    subject = push_file(oras, tmp_path, reference)
    (tmp_path / "sbom.json").write_text("{}")
    for kind in ("application/vnd.moorage.sbom", "application/vnd.moorage.signature"):
        oras("attach", f"--artifact-type={kind}", reference, "sbom.json:application/json", cwd=tmp_path)
    assert {found["artifactType"] for found in referrers(oras, reference)} == {
        "application/vnd.moorage.sbom",
        "application/vnd.moorage.signature",
    }
    signatures = referrers(oras, reference, "--artifact-type=application/vnd.moorage.signature")
    assert [found["artifactType"] for found in signatures] == ["application/vnd.moorage.signature"]
    assert view.tags(repository) == ["1"]  # the registry keeps the list: no client made a fallback tag
    attached = view.manifest(repository, signatures[0]["digest"])
    assert attached["subject"]["digest"] == subject
    oras("manifest", "delete", "--force", f"{server.host}/{repository}@{signatures[0]['digest']}")
    assert [found["artifactType"] for found in referrers(oras, reference)] == ["application/vnd.moorage.sbom"]


def test_copy_with_referrers(
    oras: Run, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path
) -> None:
    first, second = f"{server.host}/{repository}:1", f"{server.host}/{repository}/copy:1"
    digest = push_file(oras, tmp_path, first)
    oras("attach", f"--artifact-type={KIND}", first, "file.txt:text/plain", cwd=tmp_path)
    oras("copy", "--recursive", first, second)
    assert view.digest(f"{repository}/copy", "1") == digest
    assert [found["digest"] for found in referrers(oras, second)] == [
        found["digest"] for found in referrers(oras, first)
    ]


def test_index_between_layout_and_registry(
    oras: Run, samples: Samples, server: RunningServer, repository: str, tmp_path: Path
) -> None:
    reference = f"{server.host}/{repository}:both"
    oras("copy", "--from-oci-layout", f"{samples.layout('both')}:both", reference)
    oras("copy", "--to-oci-layout", reference, f"{tmp_path}/out:both")
    assert oras("resolve", "--oci-layout", f"{tmp_path}/out:both") == samples.digests["both"]


def test_list_and_delete(oras: Run, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path) -> None:
    reference = f"{server.host}/{repository}"
    push_file(oras, tmp_path, f"{reference}:1")
    oras("tag", f"{reference}:1", "2", "3")
    assert oras("repo", "tags", reference).splitlines() == ["1", "2", "3"]
    assert repository in oras("repo", "ls", server.host).splitlines()
    oras("manifest", "delete", "--force", f"{reference}:1")
    assert view.tags(repository) == []
    with pytest.raises(CommandFailed, match="not found"):
        oras("resolve", f"{reference}:2")


def test_blob_push_fetch_delete(oras: Run, server: RunningServer, repository: str, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"\x00blob\xff")
    repository_name = f"{server.host}/{repository}"
    pushed = json.loads(oras("blob", "push", "--descriptor", repository_name, tmp_path / "blob"))
    reference = f"{repository_name}@{pushed['digest']}"
    oras("blob", "fetch", f"--output={tmp_path}/fetched", reference)
    assert (tmp_path / "fetched").read_bytes() == b"\x00blob\xff"
    oras("blob", "delete", "--force", reference)
    with pytest.raises(CommandFailed, match="not found"):
        oras("blob", "fetch", "--descriptor", reference)
