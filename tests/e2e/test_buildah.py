"""buildah: an image built from nothing, pushed, pulled, copied and deleted.

It deletes only its own copies; what is deleted in the registry, it must no longer find.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parts.commands import CommandFailed
from tests.parts.podman import Store
from tests.parts.registry_view import RegistryView
from tests.parts.server import RunningServer

pytestmark = pytest.mark.e2e


def build(store: Store, file: Path, name: str) -> None:
    """Commit an image that holds one file."""
    container = store.buildah("from", "scratch")
    store.buildah("copy", "--quiet", container, file, "/content")
    store.buildah("commit", "--quiet", "--rm", container, name)


def test_build_push_pull(
    store: Store, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path
) -> None:
    reference = f"{server.host}/{repository}:1.0"
    (tmp_path / "file").write_text("built")
    build(store, tmp_path / "file", reference)
    digest_file = tmp_path / "digest"
    store.buildah("push", "--quiet", "--tls-verify=false", "--digestfile", digest_file, reference)
    assert view.digest(repository, "1.0") == digest_file.read_text()
    store.buildah("rmi", "--all", "--force")
    container = store.buildah("from", "--tls-verify=false", reference)
    mounted = Path(store.buildah("mount", container))
    assert (mounted / "content").read_text() == "built"
    store.buildah("rm", container)


def test_copy_list_delete(
    store: Store, server: RunningServer, view: RegistryView, repository: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("copied")
    build(store, tmp_path / "file", "localhost/copied:1.0")
    for tag in ("a", "b"):
        target = f"docker://{server.host}/{repository}:{tag}"
        store.buildah("push", "--quiet", "--tls-verify=false", "localhost/copied:1.0", target)
    assert view.tags(repository) == ["a", "b"]
    assert view.digest(repository, "a") == view.digest(repository, "b")
    assert view.delete(repository, "a") == 202
    with pytest.raises(CommandFailed, match="manifest unknown"):
        store.buildah("pull", "--tls-verify=false", f"{server.host}/{repository}:a")
    store.buildah("pull", "--quiet", "--tls-verify=false", f"{server.host}/{repository}:b")
