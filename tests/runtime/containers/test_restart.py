"""Restart policies and healthchecks: the rules, and real containers under them."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.containers import restart
from runtime.containers.health import HEALTHY, STARTING, UNHEALTHY, Health, command
from runtime.containers.model import EXITED, RESTARTING, RUNNING, Container
from runtime.errors import Conflict
from tests.runtime.containers.conftest import Place, output_of, until

POLICY = {"no": ("no", 0), "always": ("always", 0), "unless": ("unless-stopped", 0), "failure": ("on-failure", 2)}
SECOND = 10**9


def wanted(policy: str, **how: Any) -> bool:
    """Ask for a policy by its short name."""
    name, most = POLICY[policy]
    given = {"exit_code": 1, "restarts": 0, "by_hand": False, **how}
    return restart.wanted({"Name": name, "MaximumRetryCount": most}, **given)


def test_the_rules() -> None:
    assert not wanted("no")
    assert wanted("always", exit_code=0) and wanted("unless", exit_code=0)
    assert not wanted("always", by_hand=True) and not wanted("unless", by_hand=True)
    assert wanted("always", by_hand=True, at_start=True) and not wanted("unless", by_hand=True, at_start=True)
    assert wanted("failure", restarts=1) and not wanted("failure", restarts=2)
    assert not wanted("failure", exit_code=0) and not wanted("failure", by_hand=True)


def test_waits_double_to_a_minute_and_begin_anew_after_a_steady_run() -> None:
    waits = [0.0]
    for _ in range(12):
        waits.append(restart.next_wait(waits[-1], 0))
    assert waits[1:4] == [0.1, 0.2, 0.4] and waits[-1] == 60.0
    assert restart.next_wait(60.0, 10 * SECOND) == 0.1


def test_health_by_results() -> None:
    health = Health()
    bad, good = {"ExitCode": 1}, {"ExitCode": 0}
    assert health.note(bad, retries=2, in_start_period=True) == "" and health.failing == 0
    assert health.note(bad, retries=2, in_start_period=False) == "" and health.status == STARTING
    assert health.note(bad, retries=2, in_start_period=False) == UNHEALTHY
    assert health.note(good, retries=2, in_start_period=False) == HEALTHY and health.failing == 0
    for _ in range(9):
        health.note(good, retries=2, in_start_period=False)
    assert len(health.document()["Log"]) == 5


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (["CMD", "a", "b"], ["a", "b"]),
        (["CMD-SHELL", "a b"], ["/bin/sh", "-c", "a b"]),
        (["NONE"], None),
        ([], None),
        (["CMD"], None),
    ],
)
def test_what_a_check_runs(test: list[str], words: list[str] | None) -> None:
    assert command({"Healthcheck": {"Test": test}, "Shell": None}) == words
    assert command({"Healthcheck": None, "Shell": None}) is None


@pytest.fixture
def clean(place: Place) -> Iterator[None]:
    """Remove what a test made, and look whether anything is left of it."""
    yield
    place.clear()
    assert place.leftovers() == []


def policy(name: str, most: int = 0) -> dict[str, Any]:
    """A HostConfig with a policy."""
    return {"RestartPolicy": {"Name": name, "MaximumRetryCount": most}}


@pytest.mark.e2e
def test_on_failure_so_many_times(place: Place, clean: None) -> None:
    container = place.create("sh", "-c", "echo x >> /runs; exit 3", host=policy("on-failure", 3))
    ended = place.containers.wait(container)
    next_exit = place.containers.wait(container, "next-exit")
    place.containers.start(container)
    assert next_exit.result(60).code == 3
    until(lambda: container.state.status == EXITED)
    assert (container.upper / "runs").read_text() == "x\n" * 4
    assert container.state.restarts == 3 and ended.done()


@pytest.mark.e2e
def test_always_until_the_user_stops_it(place: Place, clean: None) -> None:
    container = place.create("sh", "-c", "echo x; exit 0", host=policy("always"))
    place.containers.start(container)
    until(lambda: "container is restarting: stop the container" in _refused(place, container))
    until(lambda: _stopped(place, container))
    count = container.state.restarts
    assert container.state.status == EXITED
    assert output_of(container).count("x") <= count + 1


def _refused(place: Place, container: Container) -> str:
    """What is said to who wants to remove it now."""
    with pytest.raises(Conflict) as failed:
        place.containers.remove(container)
    return str(failed.value)


def _stopped(place: Place, container: Container) -> bool:
    place.containers.stop(container, 0)
    return bool(container.state.status == EXITED)


@pytest.mark.e2e
def test_a_killed_process_is_started_again_and_a_killed_container_is_not(place: Place, clean: None) -> None:
    container = place.create("sleep", "600", host=policy("always"))
    place.containers.start(container)
    first = container.state.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: container.state.status == RUNNING and container.state.pid != first)
    ended = place.containers.wait(container)
    place.containers.kill(container)
    assert ended.result(60).code == 137
    assert container.state.status == EXITED


@pytest.mark.e2e
def test_one_that_waits_for_its_next_start_is_removed(place: Place, clean: None) -> None:
    container = place.create("nope-later", host=policy("always"), Entrypoint=["sh", "-c", "exit 1"])
    place.containers.start(container)
    until(lambda: container.state.status == RESTARTING)
    place.containers.remove(container, force=True)


@pytest.mark.e2e
def test_health_of_a_real_container(place: Place, clean: None) -> None:
    check = {"Test": ["CMD-SHELL", "echo looked; test ! -e /sick"], "Interval": SECOND // 20, "Retries": 2}
    container = place.create("sleep", "600", Healthcheck=check)
    place.containers.start(container)
    health = place.containers.health(container)
    assert health is not None and health.status == STARTING
    until(lambda: health.status == HEALTHY)
    assert health.document()["Log"][0]["Output"] == "looked\n"
    (container.root / "sick").touch()
    until(lambda: health.status == UNHEALTHY)
    assert "health_status: unhealthy" in {event.action for event in place.events}


@pytest.mark.e2e
def test_a_check_that_takes_too_long(place: Place, clean: None) -> None:
    check = {"Test": ["CMD", "sleep", "600"], "Interval": SECOND // 20, "Timeout": SECOND // 5, "Retries": 1}
    container = place.create("sleep", "600", Healthcheck=check)
    place.containers.start(container)
    health = place.containers.health(container)
    assert health is not None
    until(lambda: health.status == UNHEALTHY)
    result = health.document()["Log"][0]
    assert (result["ExitCode"], result["Output"]) == (-1, "Health check exceeded timeout (0.2s)")
