"""A container's life on real runc and conmon: started, stopped, killed, restarted, removed; nothing is left."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.containers.model import CREATED, EXITED, PAUSED, RUNNING
from runtime.errors import BadParameter, Conflict, EngineError, NotFound, NotModified
from tests.runtime.containers.conftest import Place, output_of, until

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def clean(place: Place) -> Iterator[None]:
    """Remove what a test made, and look whether anything is left of it."""
    yield
    place.clear()
    assert place.leftovers() == []


def test_its_exit_code_and_output_are_known(place: Place) -> None:
    assert place.run("sh", "-c", "echo hello; exit 7") == (7, "hello\n")


def test_it_goes_from_state_to_state(place: Place) -> None:
    container = place.create("sleep", "600")
    assert container.state.status == CREATED
    place.containers.start(container)
    assert container.state.status == RUNNING and container.state.pid > 0
    with pytest.raises(NotModified):
        place.containers.start(container)
    place.containers.pause(container)
    assert container.state.status == PAUSED
    for refused in (place.containers.pause, place.containers.start):
        with pytest.raises(Conflict):
            refused(container)
    place.containers.unpause(container)
    with pytest.raises(Conflict, match="is not paused"):
        place.containers.unpause(container)
    place.containers.stop(container, 0)
    assert (container.state.status, container.state.exit_code, container.state.pid) == (EXITED, 137, 0)
    with pytest.raises(NotModified):
        place.containers.stop(container)
    with pytest.raises(Conflict, match=f"cannot kill container: {container.name}: container {container.id} is not"):
        place.containers.kill(container)
    place.containers.start(container)
    place.containers.restart(container, 0)
    assert container.state.status == RUNNING
    place.containers.remove(container, force=True)
    with pytest.raises(NotFound, match=f"No such container: {container.id}"):
        place.containers.get(container.id)


def test_its_process_is_asked_first_and_by_its_own_signal(place: Place) -> None:
    script = "trap 'echo asked; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
    container = place.create("sh", "-c", script, StopSignal="SIGUSR1")
    place.containers.start(container)
    until(lambda: "ready" in output_of(container))
    place.containers.stop(container, 30)
    assert container.state.exit_code == 5
    assert output_of(container) == "ready\nasked\n"


def test_a_paused_container_is_stopped_and_killed(place: Place) -> None:
    for end in (lambda it: place.containers.stop(it, 0), place.containers.kill):
        container = place.create("sleep", "600")
        place.containers.start(container)
        ended = place.containers.wait(container)
        place.containers.pause(container)
        end(container)
        assert ended.result(30).code == 137


def test_after_a_kill_it_has_ended(place: Place) -> None:
    for _ in range(5):
        container = place.create("sleep", "600")
        place.containers.start(container)
        place.containers.kill(container)
        assert (container.state.status, container.state.exit_code) == (EXITED, 137)


def test_who_waits_is_told(place: Place) -> None:
    container = place.create("sh", "-c", "exit 4")
    next_exit = place.containers.wait(container, "next-exit")
    removed = place.containers.wait(container, "removed")
    assert place.containers.wait(container, "not-running").result(0).code == 0
    assert not next_exit.done()
    place.containers.start(container)
    assert next_exit.result(60).code == 4
    assert not removed.done()
    place.containers.remove(container)
    assert removed.result(60).code == 4
    with pytest.raises(BadParameter, match="invalid condition"):
        place.containers.wait(container, "never")


def test_it_is_removed_at_its_end(place: Place) -> None:
    container = place.create("sh", "-c", "exit 6", host={"AutoRemove": True})
    removed = place.containers.wait(container, "removed")
    place.containers.start(container)
    assert removed.result(60).code == 6
    assert not container.directory.exists()


def test_it_is_removed_when_its_start_fails(place: Place) -> None:
    container = place.create("nope", host={"AutoRemove": True})
    removed = place.containers.wait(container, "removed")
    with pytest.raises(EngineError):
        place.containers.start(container)
    assert removed.result(60).code == 127


def test_one_that_is_removed_at_its_end_survives_a_restart(place: Place) -> None:
    container = place.create("sleep", "600", host={"AutoRemove": True})
    place.containers.start(container)
    place.containers.restart(container, 0)
    assert container.state.status == RUNNING
    place.containers.stop(container, 0)
    place.containers.wait(container, "removed").result(30)


def test_its_writable_layer_stays_while_it_does(place: Place) -> None:
    container = place.create("sh", "-c", "cat /kept 2>/dev/null; echo again >> /kept")
    for _ in range(2):
        place.containers.start(container)
        place.containers.wait(container).result(60)
    assert output_of(container) == "again\n"
    assert [path.name for path in container.upper.iterdir()] == ["kept"]  # and nothing of ours or runc's


def test_names(place: Place) -> None:
    first = place.create("true", name="first.one")
    assert place.containers.get("/first.one") is first
    assert place.containers.get(first.id[:12]) is first
    with pytest.raises(
        Conflict, match=r'The container name "/first.one" is already in use by container "[0-9a-f]{64}"'
    ):
        place.create("true", name="first.one")
    second = place.create("true")
    with pytest.raises(Conflict, match="is already in use"):
        place.containers.rename(second, "first.one")
    place.containers.rename(first, "other")
    place.containers.rename(second, "first.one")
    assert place.containers.get("first.one") is second
    for bad in ("", "/", "a", "../x", "a/b", "-x", "a\n", "x y", "\u00fcber"):
        with pytest.raises(BadParameter):
            place.containers.rename(first, bad)
    for bad in ("a", "../x", "a/b", "a\0b"):
        with pytest.raises(BadParameter, match="Invalid container name"):
            place.create("true", name=bad)
    with pytest.raises(NotFound, match="No such container: nobody"):
        place.containers.get("nobody")


def test_it_is_not_removed_while_it_runs(place: Place) -> None:
    container = place.create("sleep", "600", name="busy")
    place.containers.start(container)
    said = 'cannot remove container "/busy": container is running: stop the container before removing or force remove'
    with pytest.raises(Conflict, match=said):
        place.containers.remove(container)
    place.containers.remove(container, force=True)


def test_events_tell_of_it(place: Place) -> None:
    before = len(place.events)
    container = place.create("sh", "-c", "exit 3", Labels={"of": "mine"})
    place.containers.start(container)
    place.containers.wait(container).result(60)
    place.containers.remove(container)
    told = [event for event in place.events[before:] if event.actor == container.id]
    assert [event.action for event in told] == ["create", "start", "die", "destroy"]
    assert told[2].attributes["exitCode"] == "3"
    assert told[2].attributes["of"] == "mine"


def test_sixteen_at_once(place: Place) -> None:
    def one(number: int) -> tuple[int, str]:
        return place.run("sh", "-c", f"echo {number}; exit {number}")

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(16))) == [(number, f"{number}\n") for number in range(16)]
    assert len({container.name for container in place.containers.all()}) == 16


def test_one_start_of_many_at_once(place: Place) -> None:
    container = place.create("sleep", "600")

    def start(_: int) -> bool:
        try:
            place.containers.start(container)
        except NotModified:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(start, range(8))) == 1


def test_when_it_began_and_ended(place: Place) -> None:
    container = place.create("sleep", "0.2")
    before = time.time_ns()
    place.containers.start(container)
    place.containers.wait(container).result(60)
    state = container.state
    assert before < state.started_at < state.finished_at < time.time_ns()
