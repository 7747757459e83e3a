"""`docker ps`: what each filter leaves and how a line reads, on containers that never ran."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.containers import inspect, listing
from runtime.containers.health import HEALTHY, Health
from runtime.containers.listing import labelled, status
from runtime.containers.model import EXITED, PAUSED, RESTARTING, RUNNING, Container, Mount, State
from runtime.containers.specification import settled
from runtime.errors import BadParameter, NotFound

SECOND = 10**9
NOW = 2_000_000_000 * SECOND


def container(number: int, name: str, state: State | None = None, labels: dict[str, str] | None = None) -> Container:
    """A container as its record would be."""
    container_id = f"{number:x}" * 64
    config = settled.config(
        {"Cmd": ["run", "it"], "Labels": labels, "ExposedPorts": {"80/tcp": {}, "53/udp": {}}},
        {},
        container_id=container_id[:64],
        image_name="x:1",
    )
    return Container(
        id=container_id[:64],
        name=name,
        created=NOW + number,
        image_id="sha256:" + "0" * 64,
        image="x:1",
        diff_ids=(),
        config=config,
        host_config=settled.host_config({}),
        endpoints={},
        mounts=(Mount("volume", "data", "/data", driver="local"), Mount("bind", "/a", "/b", propagation="rprivate")),
        directory=Path("/nowhere") / container_id,
        run=Path("/nowhere"),
        state=state or State(),
    )


ONE = container(1, "web", State(RUNNING, pid=7, started_at=NOW), {"tier": "front", "x": ""})
TWO = container(2, "database", State(EXITED, exit_code=3, finished_at=NOW), {"tier": "back"})
THREE = container(3, "webber")
ALL = (ONE, TWO, THREE)


def find(reference: str) -> Container:
    """Look one up by name."""
    for each in ALL:
        if each.name == reference:
            return each
    raise NotFound(f"No such container: {reference}")


def names(**filters: Sequence[str]) -> list[str]:
    """What filters leave, by name."""
    given = {name.replace("_", "-"): values for name, values in filters.items()}
    return [each.name for each in listing.chosen(ALL, given, find=find, extra={})]


def test_filters() -> None:
    assert names() == ["web", "database", "webber"]
    assert names(name=["web"]) == ["web", "webber"]
    assert names(name=["/data"]) == ["database"]
    assert names(id=["2"]) == ["database"]
    assert names(status=["running", "created"]) == ["web", "webber"]
    assert names(label=["tier"]) == ["web", "database"]
    assert names(label=["tier=back"]) == ["database"]
    assert names(exited=["3"]) == ["database"] and names(exited=["0"]) == []
    assert names(before=["database"]) == ["web"] and names(since=["database"]) == ["webber"]
    assert names(volume=["data"]) == names(volume=["/b"]) == ["web", "database", "webber"]
    assert names(expose=["80/tcp"]) == ["web", "database", "webber"] and names(publish=["80"]) == []
    assert names(until=["1h"]) == []  # they are of the future
    assert names(name=["web"], status=["running"]) == ["web"]


@pytest.mark.parametrize(
    "filters", [{"frob": ["x"]}, {"status": ["flying"]}, {"exited": ["x"]}, {"until": ["yesterday"]}, {"until": ["5y"]}]
)
def test_filters_that_mean_nothing(filters: dict[str, list[str]]) -> None:
    with pytest.raises(BadParameter, match="invalid filter"):
        names(**filters)


def test_a_filter_by_another_container_that_is_not_there() -> None:
    with pytest.raises(NotFound, match="No such container: nobody"):
        names(since=["nobody"])


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "Up Less than a second"),
        (1, "Up 1 second"),
        (59, "Up 59 seconds"),
        (60, "Up About a minute"),
        (150, "Up 2 minutes"),
        (3600, "Up About an hour"),
        (2 * 3600, "Up 2 hours"),
        (49 * 3600, "Up 2 days"),
        (15 * 86400, "Up 2 weeks"),
        (90 * 86400, "Up 3 months"),
        (800 * 86400, "Up 2 years"),
    ],
)
def test_spans_as_docker_says_them(seconds: int, said: str) -> None:
    assert status(ONE, None, NOW + seconds * SECOND) == said


def test_states_as_docker_says_them() -> None:
    healthy = Health()
    assert status(ONE, healthy, NOW + SECOND) == "Up 1 second (health: starting)"
    healthy.status = HEALTHY
    assert status(ONE, healthy, NOW + SECOND) == "Up 1 second (healthy)"
    assert status(TWO, None, NOW + SECOND) == "Exited (3) 1 second ago"
    assert status(THREE, None) == "Created"
    paused = container(4, "paused", replace(ONE.state, status=PAUSED))
    assert status(paused, None, NOW + SECOND) == "Up 1 second (Paused)"
    again = container(5, "again", replace(TWO.state, status=RESTARTING))
    assert status(again, None, NOW + SECOND) == "Restarting (3) 1 second ago"


def test_a_line() -> None:
    ports = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "53/udp": None}
    made = listing.summary(ONE, image="x:1", network={"Ports": ports}, health=None)
    assert made["Names"] == ["/web"] and made["Command"] == "run it" and made["State"] == "running"
    assert made["Ports"] == [
        {"PrivatePort": 53, "Type": "udp"},
        {"IP": "0.0.0.0", "PrivatePort": 80, "Type": "tcp", "PublicPort": 8080},
    ]
    assert listing.summary(TWO, image="x:1", network={"Ports": ports}, health=None)["Ports"] == []


def test_labels() -> None:
    assert labelled({"a": "1"}, ["a", "a=1"])
    assert not labelled({"a": "1"}, ["a=2"])
    assert not labelled({}, ["a"])


def test_an_inspection() -> None:
    made = inspect.document(ONE, network={"Ports": {}}, health=Health(), execs=["e1"], volumes="/v")
    assert (made["Name"], made["Path"], made["Args"]) == ("/web", "run", ["it"])
    assert made["State"]["Running"] and made["State"]["Health"]["Status"] == "starting"
    assert made["HostConfig"]["LogConfig"]["Type"] == "json-file"
    assert made["Mounts"][0]["Name"] == "data" and made["Mounts"][0]["Source"] == "/v/data/_data"
    assert made["Mounts"][1]["Propagation"] == "rprivate"
    assert made["ExecIDs"] == ["e1"]
    assert time.strptime(made["Created"][:19], "%Y-%m-%dT%H:%M:%S")
    assert inspect.document(TWO, network={}, health=None, execs=[])["State"]["ExitCode"] == 3
