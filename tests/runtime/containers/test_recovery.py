"""The daemon's death at any moment: what lives is found alive, what ended has its end, what was half made is gone.

The services run in a process of their own (`victim`) that is killed; this process then opens the same data root.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.containers import model
from runtime.containers.conmon import Conmon, exit_file
from runtime.containers.model import CREATED, EXITED, PAUSED, RUNNING, State
from runtime.containers.neighbours import NoNetworks
from runtime.containers.oci_runtime import OciRuntime
from runtime.containers.rootfs import Roots
from runtime.containers.streams.attach import Attachments
from tests.runtime.containers.conftest import Place, output_of, until

pytestmark = pytest.mark.faults

KILLS = 50 if os.environ.get("MOORAGE_TEST_ALL") == "1" else 8
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def place(make_place: Callable[[], Place]) -> Iterator[Place]:
    """A place of the test's own, whose services are closed and opened again."""
    place = make_place()
    yield place
    place.clear()
    assert place.leftovers() == []


def again(place: Place) -> None:
    """The daemon ends without a word, as far as the containers know, and another begins."""
    place.close()
    place.open()


def test_what_lives_is_watched_again(place: Place) -> None:
    container = place.create("sh", "-c", "while [ ! -e /go ]; do sleep 0.02; done; echo done; exit 9")
    place.containers.start(container)
    again(place)
    found = place.containers.get(container.id)
    assert found is not container and found.state.status == RUNNING
    assert found.state.pid == container.state.pid
    ended = place.containers.wait(found)
    (found.root / "go").touch()
    assert ended.result(60).code == 9
    assert output_of(found) == "done\n"


def test_what_ended_meanwhile_has_its_end(place: Place) -> None:
    container = place.create("sh", "-c", "while [ ! -e /go ]; do sleep 0.02; done; exit 9")
    place.containers.start(container)
    place.close()
    (container.root / "go").touch()
    until(lambda: exit_file(container).exists())
    ended = exit_file(container).stat().st_mtime_ns
    until(lambda: not Path(f"/proc/{container.state.supervisor}").exists())
    place.open()
    found = place.containers.get(container.id)
    assert (found.state.status, found.state.exit_code, found.state.finished_at) == (EXITED, 9, ended)


def test_what_was_to_be_removed_at_its_end_is(place: Place) -> None:
    container = place.create("sh", "-c", "while [ ! -e /go ]; do sleep 0.02; done", host={"AutoRemove": True})
    place.containers.start(container)
    place.close()
    (container.root / "go").touch()
    until(lambda: not Path(f"/proc/{container.state.supervisor}").exists())
    place.open()
    until(lambda: place.containers.all() == ())
    until(lambda: place.leftovers() == [])


class Killed(BaseException):
    """What the services do not catch: they end where they are, as at SIGKILL."""


def test_killed_before_its_process_was_let_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    container = place.create("sh", "-c", "echo ran; exit 3")
    with monkeypatch.context() as patch:
        patch.setattr(OciRuntime, "start", _killed)
        with pytest.raises(Killed):
            place.containers.start(container)
    again(place)
    found = place.containers.get(container.id)
    assert (found.state.status, found.state.starting) == (CREATED, False)
    assert {Path(left).name for left in place.leftovers()} == {container.id}
    place.containers.start(found)
    assert place.containers.wait(found).result(60).code == 3
    assert output_of(found) == "ran\n"


@pytest.mark.parametrize("step", ["mount", "allocate", "create", "dial"])
def test_killed_on_the_way_to_its_start(place: Place, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    container = place.create("true")
    owner = {"mount": Roots, "allocate": NoNetworks, "create": Conmon, "dial": Attachments}[step]
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, _killed)
        with pytest.raises(Killed):
            place.containers.start(container)
    again(place)
    assert {Path(left).name for left in place.leftovers()} == {container.id}
    found = place.containers.get(container.id)
    place.containers.start(found)
    assert place.containers.wait(found).result(60).code == 0


def _killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("ends", [False, True])
def test_killed_before_its_start_was_written_down(place: Place, ends: bool) -> None:
    container = place.create("sh", "-c", "echo ran; while [ ! -e /go ]; do sleep 0.02; done; exit 5")
    place.containers.start(container)
    pid, supervisor = container.state.pid, container.state.supervisor
    place.close()
    container.become(State(starting=True))
    if ends:
        (container.root / "go").touch()
        until(lambda: not Path(f"/proc/{supervisor}").exists())
    place.open()
    found = place.containers.get(container.id)
    if ends:
        assert (found.state.status, found.state.exit_code) == (EXITED, 5)
        assert 0 < found.state.started_at < found.state.finished_at
    else:
        assert (found.state.status, found.state.pid) == (RUNNING, pid)
        place.containers.stop(found, 0)
    assert output_of(found) == "ran\n"


def test_a_paused_one_is_still_paused(place: Place) -> None:
    container = place.create("sleep", "600")
    place.containers.start(container)
    place.containers.pause(container)
    again(place)
    found = place.containers.get(container.id)
    assert found.state.status == PAUSED
    found.become(replace(found.state, status=RUNNING))  # as if killed before that was written down
    again(place)
    found = place.containers.get(container.id)
    assert found.state.status == PAUSED
    place.containers.unpause(found)


def test_a_supervisor_that_was_killed(place: Place) -> None:
    container = place.create("sleep", "600")
    place.containers.start(container)
    ended = place.containers.wait(container)
    os.kill(container.state.supervisor, signal.SIGKILL)
    assert ended.result(60).code == 255
    assert container.state.status == EXITED


def test_everything_was_killed(place: Place) -> None:
    """As after the machine's restart, but for the mounts, which are still there."""
    container = place.create("sleep", "600", host={"RestartPolicy": {"Name": "unless-stopped"}})
    left = place.create("sleep", "600")
    for each in (container, left):
        place.containers.start(each)
    place.close()
    for each in (container, left):
        os.kill(each.state.supervisor, signal.SIGKILL)
        os.kill(each.state.pid, signal.SIGKILL)
        until(lambda each=each: not Path(f"/proc/{each.state.pid}").exists())  # type: ignore[misc]  # bound now
    place.open()
    assert place.containers.get(left.id).state.exit_code == 255
    until(lambda: place.containers.get(container.id).state.status == RUNNING)


def test_damaged_records_are_left_alone_and_said(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    good, bad, stateless = (place.create("true") for _ in range(3))
    place.close()
    (bad.directory / model.RECORD).write_text('{"Id": "' + bad.id)
    (stateless.directory / model.STATE).write_text("{")
    place.open()
    assert {each.id for each in place.containers.all()} == {good.id, stateless.id}
    assert place.containers.get(stateless.id).state.exit_code == 255
    assert bad.id in caplog.text
    assert bad.directory.is_dir()
    shutil.rmtree(bad.directory)


def test_another_s_record_is_no_way_out(place: Place) -> None:
    """A record that claims another id is not taken: its id would be used as a path."""
    container = place.create("true")
    place.close()
    path = container.directory / model.RECORD
    path.write_text(json.dumps({**json.loads(path.read_text()), "Id": "../../victim"}))
    place.open()
    assert place.containers.all() == ()
    shutil.rmtree(container.directory)


VICTIM = """
import sys
sys.path.insert(0, {root!r})
from dataclasses import replace
from pathlib import Path
from tests.runtime.containers.conftest import Place
place = Place(Path({directory!r}))
place.open()
print("open", flush=True)
number = 0
while True:
    code = number % 90 + 1
    container = place.create("sh", "-c", "seq 1 50; exit %d" % code, name="n-%d-%d" % ({turn}, number))
    print("created", container.id, code, flush=True)
    place.containers.start(container)
    print("started", container.id, code, flush=True)
    place.containers.wait(container).result(60)
    print("ended", container.id, code, flush=True)
    if number % 3 == 2:
        place.containers.remove(container)
        print("removed", container.id, code, flush=True)
    number += 1
"""


def test_killed_at_random_moments(place: Place) -> None:
    chance = random.Random(7)
    lasting = place.create("sleep", "3000")
    place.containers.start(lasting)
    known: dict[str, tuple[str, int]] = {}
    place.close()
    for turn in range(KILLS):
        said = _run_and_kill(place, turn, chance.uniform(0.0, 0.5))
        for line in said.splitlines():
            if line.count(" ") == 2:
                what, container_id, code = line.split()
                known[container_id] = (what, int(code))
        place.open()
        _check(place, known, lasting.id)
        place.close()
    place.open()
    assert any(what == "ended" for what, _ in known.values())


def _run_and_kill(place: Place, turn: int, after: float) -> str:
    program = VICTIM.format(root=str(ROOT), directory=str(place.directory), turn=turn)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd="/", env={"PATH": os.environ["PATH"]}
    ) as victim:
        assert victim.stdout is not None and victim.stdin is None
        assert victim.stdout.readline() == "open\n"
        time.sleep(after)  # the moment is what varies; nothing is waited for
        victim.kill()
        return victim.stdout.read()


def _check(place: Place, known: dict[str, tuple[str, int]], lasting: str) -> None:
    found = {container.id: container for container in place.containers.all()}
    assert found[lasting].state.status == RUNNING
    for container_id, (what, code) in known.items():
        if what == "removed":
            assert container_id not in found
            continue
        if what in {"created", "started"} or container_id in found:
            container = found[container_id]
            place.containers.wait(container).result(60)
            assert container.state.status in {CREATED, EXITED}
            if container.state.status == EXITED:
                assert container.state.exit_code == code
                assert output_of(container).split() == [str(number) for number in range(1, 51)]
            else:
                assert what == "created"
                assert not container.log.exists() or output_of(container) == ""
    assert len({container.name for container in found.values()}) == len(found)
    run = {path.name for path in (place.directory / "run/c").iterdir()}
    assert run <= {lasting}
