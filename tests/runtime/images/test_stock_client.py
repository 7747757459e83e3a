"""The stock docker command pulls, pushes, searches and inspects by way of our daemon, at a Moorage with accounts."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import Layout, busybox_image
from tests.parts.server import ADMIN_PASSWORD, RunningServer
from tests.parts.tools import require
from tests.runtime.images.stocking import Stock

pytestmark = pytest.mark.e2e


@pytest.fixture
def engine(server: RunningServer) -> Iterator[RunningEngine]:
    """A daemon whose default registry is the server."""
    require("docker")
    with (
        start_engine(environment={"MOOR_DEFAULT_REGISTRY": server.host}) as running,
        running.namespace.let_in(server.port),
    ):
        yield running


def sign_in(engine: RunningEngine, server: str) -> None:
    """Let docker and moor have credentials for a server, as `docker login` writes them."""
    secret = base64.b64encode(f"admin:{ADMIN_PASSWORD}".encode()).decode()
    for directory in (engine.directory / "docker-config", engine.directory / "home" / ".docker"):
        directory.mkdir(exist_ok=True)
        (directory / "config.json").write_text(json.dumps({"auths": {server: {"auth": secret}}}))


def test_pull_push_and_search(server: RunningServer, engine: RunningEngine, layout: Layout) -> None:
    Stock(server.host).put(layout, busybox_image(layout, require("busybox"), "1"), "stock/busybox", "1")
    name = f"{server.host}/stock/busybox:1"
    with pytest.raises(CommandFailed, match=r"pull access denied for .*, repository does not exist or may require"):
        engine.docker("pull", name)
    sign_in(engine, server.host)
    assert f"Status: Downloaded newer image for stock/busybox:1\n{name}" in engine.docker("pull", name)
    assert "Image is up to date for stock/busybox:1" in engine.docker("pull", name)
    engine.docker("tag", name, f"{server.host}/stock/pushed:2")
    assert "2: digest: sha256:" in engine.docker("push", f"{server.host}/stock/pushed:2")
    assert "stock/pushed" in engine.docker("search", f"{server.host}/pushed")
    engine.docker("rmi", name, f"{server.host}/stock/pushed:2")
    assert f"Status: Downloaded newer image for stock/busybox:1\n{name}" in engine.moor("pull", name)
    assert "1: digest: sha256:" in engine.moor("push", name)
    listed = json.loads(engine.docker("manifest", "inspect", "--insecure", name))
    assert len(listed["layers"]) == 2


def test_a_name_without_a_host_is_of_the_default_registry(
    server: RunningServer, engine: RunningEngine, layout: Layout
) -> None:
    Stock(server.host).put(layout, busybox_image(layout, require("busybox"), "1"), "library/tool", "latest")
    sign_in(engine, "https://index.docker.io/v1/")
    assert "Status: Downloaded newer image for tool:latest" in engine.docker("pull", "tool")
    assert engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split() == ["tool:latest"]
    with pytest.raises(CommandFailed, match=r"manifest for nothing:latest not found|repository nothing not found"):
        engine.docker("pull", "nothing")
