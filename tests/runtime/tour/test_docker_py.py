"""docker-py's everyday flows on the engine's socket: what its own guide shows."""

from __future__ import annotations

import gc
import io
import tarfile
import warnings
from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import pytest

from tests.parts.server import ADMIN_PASSWORD
from tests.runtime.tour.conftest import BUSYBOX, Place

pytestmark = pytest.mark.e2e


@pytest.fixture
def api(place: Place) -> Iterator[Any]:
    """A client of the engine."""
    client = docker.DockerClient(base_url=f"unix://{place.engine.socket}")
    yield client
    for container in client.containers.list(all=True, filters={"label": "docker-py"}):
        container.remove(force=True)
    client.close()
    with warnings.catch_warnings():  # docker-py leaves the connections of answers that it raises from to the collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def run(api: Any, *command: str, **options: Any) -> Any:
    """Run a container of this file's."""
    return api.containers.run(BUSYBOX, list(command), network_mode="none", labels=["docker-py"], **options)


def test_the_engine_tells_about_itself(api: Any) -> None:
    assert api.ping() is True
    assert api.version()["ApiVersion"] == "1.47"
    assert api.info()["OSType"] == "linux"
    assert api.df()["Images"]


def test_a_container_is_run_and_read(api: Any) -> None:
    assert run(api, "echo", "hello", remove=True) == b"hello\n"
    with pytest.raises(docker.errors.ContainerError) as told:
        run(api, "sh", "-c", "echo no >&2; exit 3", remove=True)
    assert (told.value.exit_status, told.value.stderr) == (3, b"no\n")
    with pytest.raises(docker.errors.ImageNotFound):
        api.images.get("nosuch/image:1")
    with pytest.raises(docker.errors.NotFound):
        api.containers.get("nosuch")


def test_a_container_lives_through_its_states(api: Any) -> None:
    container = run(api, "sh", "-c", "echo started; trap 'exit 5' TERM; while :; do sleep 0.1; done", detach=True)
    assert container in api.containers.list()
    stream = container.logs(stream=True, follow=True)
    assert next(stream) == b"started\n"
    code, output = container.exec_run(["sh", "-c", "echo in; exit 4"], environment={"A": "b"}, workdir="/tmp")
    assert (code, output) == (4, b"in\n")
    assert container.exec_run("sh -c 'echo o; echo e >&2'", demux=True).output == (b"o\n", b"e\n")
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    container.rename("renamed-by-docker-py")
    assert api.containers.get("renamed-by-docker-py").id == container.id
    assert container.top()["Processes"]
    assert container.stats(stream=False)["pids_stats"]["current"] >= 1
    container.stop(timeout=20)
    assert container.wait()["StatusCode"] == 5
    container.start()
    container.kill()
    assert container.wait()["StatusCode"] == 137
    container.remove()
    assert container not in api.containers.list(all=True)


def test_files_go_in_and_out(api: Any) -> None:
    container = run(api, "sleep", "100", detach=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("note")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    assert container.put_archive("/tmp", packed.getvalue())
    blocks, stat = container.get_archive("/tmp/note")
    assert stat["size"] == 5
    with tarfile.open(fileobj=io.BytesIO(b"".join(blocks))) as archive:
        file = archive.extractfile("note")
        assert file is not None and file.read() == b"hello"
    assert {"Path": "/tmp/note", "Kind": 1} in container.diff()
    image = container.commit("tour/by-docker-py", tag="1")
    assert "tour/by-docker-py:1" in image.tags
    api.images.remove("tour/by-docker-py:1")


def test_an_attached_socket_carries_both_ways(api: Any) -> None:
    container = api.containers.create(BUSYBOX, "cat", stdin_open=True, network_mode="none", labels=["docker-py"])
    socket = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    socket._sock.sendall(b"to and fro\n")
    head = socket.read(8)
    assert (head[0], socket.read(int.from_bytes(head[4:], "big"))) == (1, b"to and fro\n")
    socket.close()
    container.kill()


def test_images_are_tagged_pushed_and_pulled(api: Any, place: Place) -> None:
    host = place.registry.host
    login = {"username": "admin", "password": ADMIN_PASSWORD}
    api.login(registry=host, **login)
    name = f"{host}/docker-py/busybox"
    assert api.images.get(BUSYBOX).tag(name, tag="1")
    lines = list(api.images.push(name, tag="1", auth_config=login, stream=True, decode=True))
    assert not [line for line in lines if "error" in line] and any("aux" in line for line in lines)
    api.images.remove(f"{name}:1")
    image = api.images.pull(name, tag="1", auth_config=login)
    assert "docker-py/busybox:1" in image.tags  # the engine's own registry is not written out
    assert image.history()
    data = b"".join(image.save(named=True))
    assert [one.id for one in api.images.load(data)] == [image.id]
    api.images.remove(f"{name}:1")
    with pytest.raises(docker.errors.APIError):
        api.images.pull(name, tag="nosuch", auth_config=login)


def test_an_image_is_built(api: Any) -> None:
    text = f"FROM {BUSYBOX}\nARG WHO=nobody\nENV WHO=$WHO\nCMD echo built for $WHO\n"
    image, lines = api.images.build(
        fileobj=io.BytesIO(text.encode()), buildargs={"WHO": "docker-py"}, tag="tour/built:py"
    )
    assert any("Successfully built" in line.get("stream", "") for line in lines)
    assert api.containers.run(image, remove=True, network_mode="none") == b"built for docker-py\n"
    api.images.remove("tour/built:py")
    with pytest.raises(docker.errors.BuildError):
        api.images.build(fileobj=io.BytesIO(f"FROM {BUSYBOX}\nRUN exit 3\n".encode()))


def test_volumes_and_networks(api: Any) -> None:
    volume = api.volumes.create("from-docker-py", labels={"a": "b"})
    mounted = {"from-docker-py": {"bind": "/data", "mode": "rw"}}
    run(api, "sh", "-c", "echo kept > /data/file", volumes=mounted, remove=True)
    assert run(api, "cat", "/data/file", volumes=mounted, remove=True) == b"kept\n"
    volume.remove()
    network = api.networks.create("from-docker-py", driver="bridge")
    assert network in api.networks.list(names=["from-docker-py"])
    container = api.containers.create(BUSYBOX, "sleep 100", labels=["docker-py"], network="from-docker-py")
    container.start()
    network.reload()
    assert [one.id for one in network.containers] == [container.id]
    container.remove(force=True)
    network.remove()


def test_events_tell_what_happened(api: Any) -> None:
    container = run(api, "true", detach=True)
    container.wait()
    found = api.events(since=0, decode=True, filters={"container": container.id})
    actions = []
    for event in found:
        actions.append(event["Action"])
        if event["Action"] == "die":
            assert event["Actor"]["Attributes"]["exitCode"] == "0"
            break
    found.close()
    assert {"create", "start", "die"} <= set(actions)
