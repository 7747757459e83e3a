"""Every way in which a container cannot be made or started: Docker's sentence and exit code, and nothing left of it."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.containers.launch import StartFailed
from runtime.errors import BadParameter, EngineError, NotFound, Unavailable
from tests.runtime.containers.conftest import IMAGE, Place, load_archive

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def clean(place: Place) -> Iterator[None]:
    """Nothing may be left but the container itself, and nothing at all after it."""
    yield
    run = place.directory / "run"
    assert list((run / "c").iterdir()) == []
    assert not (run / "oci").is_dir() or list((run / "oci").iterdir()) == []
    assert str(place.directory) not in Path("/proc/self/mountinfo").read_text()
    assert place.cgroups() == []
    assert place.stores.mounted == set()
    place.clear()
    assert place.leftovers() == []
    assert place.stores.held == set()


@pytest.mark.parametrize(
    ("body", "said", "code", "status"),
    [
        ({"Cmd": ["nope"]}, 'exec: "nope": executable file not found in $PATH', 127, 400),
        ({"Cmd": ["/no/such"]}, "no such file or directory", 127, 400),
        ({"Cmd": ["/bin"]}, "permission denied", 126, 400),
        ({"Cmd": ["/plain"]}, "permission denied", 126, 400),
        ({"User": "nobody"}, "unable to find user nobody: no matching entries in passwd file", 128, 400),
        ({"User": "0:nogroup"}, "unable to find group nogroup: no matching entries in group file", 128, 400),
        ({"WorkingDir": "/plain"}, "not a directory", None, None),
        ({"HostConfig": {"PidMode": "container:nobody"}}, "No such container: nobody", 128, 404),
        ({"HostConfig": {"Binds": ["/proc/nope/new:/x"]}}, "error while creating mount source path", 128, 500),
        ({"HostConfig": {"Sysctls": {"net.no.such": "1"}}}, "no such file or directory", None, None),
        ({"HostConfig": {"CpusetCpus": "4000"}}, "cpuset", None, None),
        ({"HostConfig": {"Devices": [{"PathOnHost": "/dev/nope"}]}}, "error gathering device information", 128, 400),
        ({"HostConfig": {"ExtraHosts": ["a b:1.2.3.4"]}}, "bad format for add-host", 128, 400),
        ({"HostConfig": {"Dns": ["1.1.1.1\nsearch evil"]}}, "invalid DNS setting", 128, 400),
    ],
)
def test_a_start_that_fails(
    place: Place, body: dict[str, Any], said: str, code: int | None, status: int | None
) -> None:
    load_archive(place, "with:file", {"plain": b"text"}, {})
    host = {"NetworkMode": "none", **body.pop("HostConfig", {})}
    container = place.containers.create({"Image": "with:file", "Cmd": ["true"], **body, "HostConfig": host})
    with pytest.raises(StartFailed) as failed:
        place.containers.start(container)
    assert said in str(failed.value)
    assert container.state.status == "created" and container.state.error == str(failed.value)
    if code is not None:
        assert (failed.value.exit_code, failed.value.status, container.state.exit_code) == (code, status, code)


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        ({"Image": "nobody/nothing:1"}, NotFound, "No such image: nobody/nothing:1"),
        ({"Image": ""}, BadParameter, "invalid reference format"),
        ({"Image": 5}, BadParameter, "invalid reference format"),
        ({"Image": "UPPER CASE"}, BadParameter, "invalid reference format"),
        ({"HostConfig": {"NetworkMode": "mine"}}, NotFound, "network mine not found"),
        ({"HostConfig": {"VolumesFrom": ["nobody"]}}, NotFound, "No such container: nobody"),
        ({"HostConfig": {"Binds": ["/a:b"]}}, BadParameter, "mount path must be absolute"),
        ({"HostConfig": [1]}, BadParameter, "HostConfig and NetworkingConfig are objects"),
        ({"NetworkingConfig": {"EndpointsConfig": [1]}}, BadParameter, "EndpointsConfig is an object"),
        ({"HostConfig": {"NetworkMode": "none", "Binds": ["broken:/z", "fine:/a"]}}, EngineError, "it is broken"),
        ({"HostConfig": {"Memory": 5}}, BadParameter, "Minimum memory limit allowed is 6MB"),
    ],
)
def test_a_container_that_cannot_be_made(
    place: Place, body: dict[str, Any], error: type[EngineError], said: str
) -> None:
    asked = {"Image": IMAGE, "Cmd": ["true"], "Volumes": {"/data": {}}, "HostConfig": {"NetworkMode": "none"}} | body
    before = set(place.stores.root.iterdir())
    with pytest.raises(error) as failed:
        place.containers.create(asked, "wanted")
    assert said in str(failed.value)
    assert place.containers.all() == ()
    assert set(place.stores.root.iterdir()) - before <= {place.stores.root / "fine"}
    assert place.stores.held == place.stores.mounted == set()
    assert place.leftovers() == []
    place.containers.create({"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}, "wanted")


def test_an_image_of_another_platform(place: Place) -> None:
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
    with pytest.raises(NotFound, match=r"its platform \(linux/amd64\) does not match the specified platform"):
        place.containers.create(body, platform="linux/arm64")
    for fitting in (None, "", "linux", "linux/amd64", "linux/amd64/v3"):
        place.containers.create(body, platform=fitting)


def test_a_start_after_one_that_failed(place: Place) -> None:
    script = "test -e /second && exec sleep 600; exit 3"
    container = place.create("sh", "-c", script, User="someone")
    with pytest.raises(StartFailed):
        place.containers.start(container)
    (container.upper / "etc").mkdir()
    (container.upper / "etc/passwd").write_text("someone:x:0:0::/:\n")
    place.containers.start(container)
    assert place.containers.wait(container).result(60).code == 3
    assert container.state.error == ""


def test_a_full_disk_does_not_keep_an_end_from_being_noted(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    container = place.create("sleep", "600")
    place.containers.start(container)
    ended = place.containers.wait(container)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", _full)
        place.containers.kill(container)
        assert ended.result(60).code == 137
        assert "its state cannot be written" in caplog.text
        with pytest.raises(StartFailed, match="No space left on device"):
            place.containers.start(container)
    assert container.state.status == "exited"


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_programs_are_not_there(make_place: Callable[[], Place], monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_place()
    container = place.create("true")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("runtime.programs._ALSO", ("/nowhere",))
    with pytest.raises(StartFailed, match="install it with: apt-get install") as failed:
        place.containers.start(container)
    assert failed.value.status == Unavailable.status
    place.containers.remove(container)
    assert place.leftovers() == []


def test_a_runtime_that_says_nothing(make_place: Callable[[], Place], tmp_path: Path) -> None:
    """A runtime that breaks at every call: what it made is nobody's, what we made is gone."""
    place = make_place()
    broken = tmp_path / "runc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    object.__setattr__(place.containers.services, "runtime", type(place.containers.services.runtime)(
        str(broken), place.directory / "run/oci"))  # fmt: skip
    container = place.create("true")
    with pytest.raises(StartFailed):
        place.containers.start(container)
    assert not container.run.exists()
    assert os.listdir(container.directory / "exits") == []  # noqa: PTH208  # names are what is compared
