"""Networks and volumes as users meet them: the stock docker command against a live daemon, and its sentences."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import busybox_tar, docker_archive
from tests.parts.tools import require

pytestmark = pytest.mark.e2e

IMAGE = "team/busybox:1"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    archive = tmp_path_factory.mktemp("image") / "busybox.tar"
    commands = ("sh", "cat", "sleep", "true", "ping", "ip")
    docker_archive(archive, IMAGE, [busybox_tar(require("busybox"), commands)], command=("/bin/sh",))
    with start_engine() as running:
        running.docker("load", "--input", archive)
        yield running


@pytest.fixture(autouse=True)
def _tidy(engine: RunningEngine) -> Iterator[None]:
    yield
    engine.remove_containers()
    engine.docker("network", "prune", "--force")
    engine.docker("volume", "prune", "--force", "--all")


def refused(engine: RunningEngine, *arguments: str) -> str:
    with pytest.raises(CommandFailed) as failure:
        engine.docker(*arguments)
    return failure.value.said


def test_networks_from_first_to_last(engine: RunningEngine) -> None:
    assert engine.docker("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}").splitlines() == [
        "bridge bridge local", "host host local", "none null local",
    ]  # fmt: skip
    engine.docker("network", "create", "--label", "a=b", "--subnet", "10.60.0.0/24", "mine")
    engine.docker("run", "-d", "--name", "app", "--network", "mine", "--ip", "10.60.0.9", IMAGE, "sleep", "600")
    engine.docker("run", "-d", "--name", "web", IMAGE, "sleep", "600")
    engine.docker("network", "connect", "--alias", "front", "mine", "web")
    engine.docker("exec", "app", "ping", "-c", "1", "front")
    assert "front" in engine.docker("exec", "app", "cat", "/etc/hosts")
    found = json.loads(engine.docker("network", "inspect", "mine"))[0]
    assert {each["Name"] for each in found["Containers"].values()} == {"app", "web"}
    assert "has active endpoints" in refused(engine, "network", "rm", "mine")
    engine.kill()
    engine.start()
    engine.docker("exec", "app", "ping", "-c", "1", "front")
    engine.docker("restart", "--time", "0", "web")
    assert "mine" in json.loads(engine.docker("inspect", "web"))[0]["NetworkSettings"]["Networks"], "it stays connected"
    engine.docker("network", "disconnect", "mine", "web")
    assert "front" not in engine.docker("exec", "app", "cat", "/etc/hosts")
    engine.docker("stop", "--time", "0", "app", "web")
    engine.docker("network", "connect", "mine", "web")
    engine.docker("start", "web")
    assert "eth1" in engine.docker("exec", "web", "ip", "address")
    assert "mine" not in engine.docker("network", "prune", "--force"), "a stopped container wants it"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("network", "rm", "bridge"), "bridge is a pre-defined network and cannot be removed"),
        (("network", "inspect", "nowhere"), "network nowhere not found"),
        (("network", "create", "host"), "operation is not permitted on predefined host network"),
        (("network", "create", "--driver", "overlay", "x1"), "could not find plugin overlay"),
        (("network", "create", "--ipv6", "x1"), "IPv4 addresses only"),
        (("network", "create", "a b"), "includes invalid characters"),
        (("network", "connect", "bridge", "nobody"), "No such container: nobody"),
        (("run", "--network", "nowhere", IMAGE, "true"), "network nowhere not found"),
        (
            ("run", "--ip", "10.201.0.9", IMAGE, "true"),
            "user specified IP address is supported on user defined networks",
        ),
        (("run", "-p", "10.9.9.9:8080:80", IMAGE, "true"), "cannot assign requested address"),
        (("volume", "inspect", "nothing"), "no such volume"),
        (("volume", "create", "../x"), "includes invalid characters for a local volume name"),
        (("volume", "create", "--driver", "nfs", "vol"), 'plugin "nfs" not found'),
        (("volume", "create", "--opt", "kind=x", "vol"), 'invalid option: "kind"'),
    ],
)
def test_refusals_in_dockers_words(engine: RunningEngine, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(engine, *arguments)


def test_modes_without_a_network_of_their_own(engine: RunningEngine) -> None:
    assert "eth0" not in engine.docker("run", "--rm", "--network", "none", IMAGE, "ip", "link")
    host = engine.docker("run", "--rm", "--network", "host", IMAGE, "ip", "link")
    assert "moor0" in host or "lo:" in host
    engine.docker("run", "-d", "--name", "first", IMAGE, "sleep", "600")
    address = json.loads(engine.docker("inspect", "first"))[0]["NetworkSettings"]["IPAddress"]
    assert address in engine.docker("run", "--rm", "--network", "container:first", IMAGE, "ip", "address")
    for mode in ("none", "host", "container:first"):
        engine.docker("run", "-d", "--name", "other", "--network", mode, IMAGE, "sleep", "600")
        refused(engine, "network", "connect", "bridge", "other")
        engine.docker("rm", "--force", "other")


def test_volumes_from_first_to_last(engine: RunningEngine) -> None:
    engine.docker("volume", "create", "--label", "a=b", "data")
    engine.docker("run", "--rm", "-v", "data:/data", IMAGE, "sh", "-c", "echo kept > /data/file")
    engine.docker("run", "-d", "--name", "user", "-v", "data:/data", "-v", "/other", IMAGE, "sleep", "600")
    assert engine.docker("exec", "user", "cat", "/data/file") == "kept"
    assert "volume is in use" in refused(engine, "volume", "rm", "data")
    engine.kill()
    engine.start()
    assert "volume is in use" in refused(engine, "volume", "rm", "data"), "who has it is known again"
    assert len(engine.docker("volume", "ls", "--quiet").split()) == 2
    engine.docker("rm", "--force", "--volumes", "user")
    assert engine.docker("volume", "ls", "--quiet") == "data"
    place = Path(json.loads(engine.docker("volume", "inspect", "data"))[0]["Mountpoint"])
    assert (place / "file").read_text() == "kept\n"
    assert "data" in engine.docker("system", "df", "--verbose")
    engine.docker("volume", "rm", "data")
