"""Volumes: made, listed, in use, removed; by whom they may be removed, and what a killed daemon leaves of them."""

from pathlib import Path
from typing import Any

import pytest

from runtime.errors import BadParameter, Conflict, EngineError, NotFound
from runtime.events import Event, Events
from runtime.volumes import mounting
from runtime.volumes.volumes import Volumes
from tests.parts.tools import require_root


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def volumes(tmp_path: Path, events: Events) -> Volumes:
    return Volumes(tmp_path / "volumes", events)


def told(events: Events) -> list[tuple[str, str]]:
    def nobody(_: Event) -> None:
        """Only the past is wanted."""

    with events.listening(nobody) as past:
        return [(event.action, event.actor) for event in past]


def test_made_kept_and_removed(volumes: Volumes, events: Events, tmp_path: Path) -> None:
    made = volumes.create({"Name": "data", "Labels": {"a": "b"}})
    assert made.data == tmp_path / "volumes/data/_data" and made.data.stat().st_mode & 0o7777 == 0o755
    assert volumes.create({"Name": "data"}) == made, "one of that name is returned as it is"
    assert Volumes(tmp_path / "volumes", events).get("data") == made
    volumes.remove("data")
    assert list((tmp_path / "volumes").iterdir()) == []
    assert told(events) == [("create", "data"), ("destroy", "data")]
    with pytest.raises(NotFound, match="get data: no such volume"):
        volumes.remove("data")
    volumes.remove("data", force=True)


def test_a_volume_that_a_container_has_stays(volumes: Volumes) -> None:
    volumes.create({"Name": "data"})
    volumes.hold("data", "c1")
    with pytest.raises(Conflict, match=r"remove data: volume is in use - \[c1\]"):
        volumes.remove("data", force=True)
    assert volumes.prune({}, every=True) == ([], 0)
    volumes.drop("data", "c1")
    volumes.mount("data", "c2")
    with pytest.raises(Conflict):
        volumes.remove("data")
    volumes.release("data", "c2")
    volumes.release("data", "c2")
    volumes.remove("data")


def test_prune_takes_the_nameless_unless_told(volumes: Volumes) -> None:
    volumes.create({"Name": "named"})
    nameless = volumes.create({})
    (nameless.data / "file").write_bytes(b"x" * 100)
    (nameless.data / "same").hardlink_to(nameless.data / "file")
    assert volumes.prune({}, every=False) == ([nameless.name], 100)
    assert volumes.prune({"label": ["a"]}, every=True) == ([], 0)
    assert volumes.prune({}, every=True) == (["named"], 0)


def test_filters(volumes: Volumes) -> None:
    for name, labels in (("one", {"a": "1"}), ("two", {"a": "2"}), ("three", {})):
        volumes.create({"Name": name, "Labels": labels})
    volumes.hold("one", "c1")
    found = {
        "label=a": volumes.list({"label": ["a"]}),
        "label=a=2": volumes.list({"label": ["a=2"]}),
        "label!=a": volumes.list({"label!": ["a"]}),
        "name=t": volumes.list({"name": ["t"]}),
        "dangling": volumes.list({"dangling": ["true"]}),
        "used": volumes.list({"dangling": ["false"]}),
        "driver": volumes.list({"driver": ["nfs"]}),
    }
    assert {key: [each.name for each in value] for key, value in found.items()} == {
        "label=a": ["one", "two"],
        "label=a=2": ["two"],
        "label!=a": ["three"],
        "name=t": ["three", "two"],
        "dangling": ["three", "two"],
        "used": ["one"],
        "driver": [],
    }
    for wrong in ({"size": ["1"]}, {"dangling": ["perhaps"]}):
        with pytest.raises(BadParameter):
            volumes.list(wrong)


@pytest.mark.parametrize(
    "name", ["a", "..", "../x", "/etc", "a/b", ".hidden", "-rf", "a\nb", "a\0b", "ä1", "x" * 202, 7]
)
def test_hostile_names_are_refused(volumes: Volumes, tmp_path: Path, name: object) -> None:
    with pytest.raises(BadParameter):
        volumes.create({"Name": name})
    assert list((tmp_path / "volumes").iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [{"type": "none"}, {"device": "/x"}, {"kind": "x"}, {"size": "1", "type": "tmpfs", "device": "x"}, {"o": 1}, "x",
     {"type": "none", "device": "/x", "o": "bind\nrw"}],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(volumes: Volumes, options: Any) -> None:
    with pytest.raises(BadParameter):
        volumes.create({"Name": "data", "DriverOpts": options})


def test_other_drivers_are_refused(volumes: Volumes) -> None:
    with pytest.raises(NotFound, match='plugin "nfs" not found'):
        volumes.create({"Name": "data", "Driver": "nfs"})


def test_what_a_killed_daemon_leaves_goes(volumes: Volumes, events: Events, tmp_path: Path) -> None:
    volumes.create({"Name": "data"})
    for name in (".new-1", ".gone-2"):
        (tmp_path / "volumes" / name / "_data").mkdir(parents=True)
    broken = tmp_path / "volumes" / "broken"
    broken.mkdir()
    (broken / "volume.json").write_text('{"name": "../x"}')
    again = Volumes(tmp_path / "volumes", events)
    assert [each.name for each in again.list()] == ["data"]
    assert sorted(path.name for path in (tmp_path / "volumes").iterdir()) == ["broken", "data"], "said, not removed"


@pytest.mark.e2e
def test_a_device_is_mounted_while_it_is_used(volumes: Volumes, events: Events, tmp_path: Path) -> None:
    require_root()
    source = tmp_path / "a source"
    source.mkdir()
    (source / "file").write_text("there")
    options = {"type": "none", "o": "bind", "device": str(source)}
    made = volumes.create({"Name": "bound", "DriverOpts": options})
    memory = volumes.create({"Name": "memory", "DriverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}})
    try:
        for container in ("c1", "c2"):
            assert (volumes.mount("bound", container) / "file").read_text() == "there"
        assert volumes.mount("memory", "c1") == memory.data
        again = Volumes(tmp_path / "volumes", events)  # a daemon was killed: containers tell the next one
        for container in ("c1", "c2"):
            again.mount("bound", container)
        again.release("bound", "c1")
        assert mounting.mounted(made.data)
        again.release("bound", "c2")
        again.remove("bound")
        assert (source / "file").read_text() == "there", "only the mount is gone"
    finally:
        for each in (made, memory):
            mounting.unmount(each)
    with pytest.raises(EngineError, match="failed to mount local volume: mount /nowhere:"):
        volumes.create({"Name": "lost", "DriverOpts": options | {"device": "/nowhere"}})
        volumes.mount("lost", "c1")
    assert not volumes.held("lost")
