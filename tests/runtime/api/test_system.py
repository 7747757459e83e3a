"""What the engine says of itself, as the stock docker command and docker-py read it."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.parts.commands import CommandFailed, run
from tests.parts.engine import RunningEngine, start_engine
from tests.parts.images import busybox_tar, docker_archive
from tests.parts.server import ADMIN_PASSWORD, start_moorage
from tests.parts.tools import require

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    archive = tmp_path_factory.mktemp("image") / "busybox.tar"
    docker_archive(archive, "busybox:1", [busybox_tar(require("busybox"), ("sh", "true", "sleep"))], command=("true",))
    with start_engine() as running:
        running.docker("load", "--input", archive)
        yield running


@pytest.fixture
def client(engine: RunningEngine) -> Iterator[Any]:
    made = docker.DockerClient(base_url=f"unix://{engine.socket}")
    yield made
    made.close()


def test_docker_version_names_the_engine_and_its_programs(engine: RunningEngine) -> None:
    said = engine.docker("version")
    assert "Server: Moorage Engine" in said
    assert "API version:      1.47 (minimum version 1.24)" in said
    assert "runc:" in said and "conmon:" in said


@pytest.mark.parametrize("version", ["1.24", "1.41", "1.44", "1.47"])
def test_older_clients_are_served(engine: RunningEngine, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_API_VERSION", version)
    assert version in engine.docker("version", "--format", "{{.Client.APIVersion}}")
    assert engine.docker("images", "--quiet") != ""


def test_docker_info_prints_what_there_is(engine: RunningEngine) -> None:
    said = engine.docker("info")
    for line in ("Images: 1", "Storage Driver: overlay2", "Swarm: inactive", "Runtimes: runc", "Profile: builtin"):
        assert line in said
    found = json.loads(engine.docker("info", "--format", "json"))
    assert found["DockerRootDir"] == str(engine.data)
    assert found["MemTotal"] > 0 and found["NCPU"] > 0
    assert "ServerErrors" not in found


def test_the_engine_is_the_same_one_after_a_restart(engine: RunningEngine) -> None:
    before = engine.docker("info", "--format", "{{.ID}}")
    engine.stop()
    engine.start()
    assert before == engine.docker("info", "--format", "{{.ID}}") != ""


def test_a_docker_context_leads_to_the_engine(engine: RunningEngine) -> None:
    engine.docker("context", "create", "moor", "--docker", f"host=unix://{engine.socket}")
    try:
        assert "moor" in engine.docker("context", "ls", "--format", "{{.Name}}").split()
        config = engine.directory / "docker-config"  # without --host, which would go before the context
        assert "Moorage Engine" in run(require("docker"), "--config", config, "--context", "moor", "version")
    finally:
        engine.docker("context", "rm", "-f", "moor")


def test_disk_usage_counts_images_and_containers(engine: RunningEngine) -> None:
    engine.docker("create", "--network=none", "--name", "counted", "busybox:1")
    try:
        rows = [json.loads(line) for line in engine.docker("system", "df", "--format", "json").splitlines()]
        by_type = {row["Type"]: row for row in rows}
        assert (by_type["Images"]["TotalCount"], by_type["Images"]["Active"]) == ("1", "1")
        assert by_type["Containers"]["TotalCount"] == "1"
        assert "counted" in engine.docker("system", "df", "--verbose")
        assert engine.request("GET", "/system/df?type=image")[0] == 200
        assert engine.request("GET", "/system/df?type=planet")[0] == 400
    finally:
        engine.remove_containers()


def test_docker_py_reads_it_all(engine: RunningEngine, client: Any) -> None:
    assert client.ping() is True
    assert client.version()["ApiVersion"] == "1.47"
    assert client.info()["Images"] == 1
    assert client.df()["LayersSize"] > 0


def test_events_reach_who_listens_and_who_asks_later(engine: RunningEngine, client: Any) -> None:
    began = time.time()
    heard: list[dict[str, Any]] = []
    stream = client.events(decode=True, filters={"type": "container"})
    listener = threading.Thread(target=lambda: heard.extend(stream))
    listener.start()
    container = client.containers.run("busybox:1", "true", detach=True, network_mode="none", labels={"kind": "heard"})
    container.wait()
    container.remove()
    limit = time.monotonic() + 20
    while not any(event["Action"] == "destroy" for event in heard) and time.monotonic() < limit:
        time.sleep(0.02)
    stream.close()
    listener.join()
    wanted = ["create", "start", "die", "destroy"]
    assert [event["Action"] for event in heard if event["Action"] in wanted] == wanted
    assert heard[-1]["Actor"]["ID"] == heard[-1]["id"] == container.id
    later = client.events(since=began, until=time.time(), decode=True, filters={"label": "kind=heard", "event": "die"})
    assert [(event["Action"], event["Actor"]["Attributes"]["exitCode"]) for event in later] == [("die", "0")]


def test_logins_are_asked_of_the_registry(engine: RunningEngine, tmp_path: Path) -> None:
    with start_moorage(tmp_path / "registry", accounts=True) as registry, engine.namespace.let_in(registry.port):
        host = f"127.0.0.1:{registry.port}"
        said = engine.docker("login", host, "-u", "admin", "--password-stdin", stdin=ADMIN_PASSWORD)
        assert "Login Succeeded" in said
        with pytest.raises(CommandFailed) as refused:
            engine.docker("login", host, "-u", "admin", "--password-stdin", stdin="wrong")
        assert "401 Unauthorized" in refused.value.said
        engine.docker("logout", host)
    with pytest.raises(CommandFailed) as gone:
        engine.docker("login", host, "-u", "admin", "--password-stdin", stdin=ADMIN_PASSWORD)
    assert "connection refused" in gone.value.said
