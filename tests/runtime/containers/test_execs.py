"""Processes in a running container by id: their states, their ends, and what becomes of them without a client."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.containers.specification.users import User
from runtime.containers.streams.exec_process import Command, ExecFailed
from runtime.containers.streams.execs import Execs, Target, process_of
from runtime.errors import BadParameter, Conflict, EngineError, NotFound
from tests.parts.bundles import Bundle, running
from tests.parts.tools import require
from tests.runtime.containers.clients import Shown, feed, poll, read_all

pytestmark = pytest.mark.e2e


class Told(list[tuple[str, Mapping[str, str]]]):
    """Events, as they come."""

    def __call__(self, _: str, action: str, attributes: Mapping[str, str]) -> None:
        self.append((action, attributes))


@pytest.fixture(scope="module")
def bundle() -> Iterator[Bundle]:
    with running("sleep", "600") as one:
        yield one


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def execs(bundle: Bundle, tmp_path: Path, told: Told) -> Iterator[Execs]:
    runc = (require("runc"), "--root", str(bundle.runtime_root))
    made = Execs(lambda: runc, tmp_path / "exec", told)
    yield made
    made.close()


@pytest.fixture
def target(bundle: Bundle) -> Target:
    def identity(user: str) -> User:
        if user != "worker":
            raise BadParameter(f"unable to find user {user}: no matching entries in passwd file")
        return User(1000, 1000)

    return Target(bundle.id, process_of(bundle.directory), identity, lambda: ["CAP_CHOWN", "CAP_SYS_ADMIN"])


def test_a_process_from_its_making_to_its_end(execs: Execs, target: Target, told: Told) -> None:
    script = "read x; exit $x"
    made = execs.create(target, Command(("sh", "-c", script), stdin=True, detach_keys=b"\x10\x11"))
    assert execs.get(made.id) is made
    assert made.document() == {
        "ID": made.id,
        "Running": False,
        "ExitCode": None,
        "ProcessConfig": {
            "tty": False,
            "entrypoint": "sh",
            "arguments": ["-c", "read x; exit $x"],
            "privileged": False,
        },
        "OpenStdin": True,
        "OpenStdout": True,
        "OpenStderr": True,
        "CanRemove": False,
        "ContainerID": target.id,
        "DetachKeys": "\x10\x11",
        "Pid": 0,
    }
    process = execs.start(made, detached=False)
    assert made.document()["Running"]
    assert made.document()["Pid"] == process.pid
    assert execs.of(target.id) == [made.id]
    feed(process.wires, b"6\n")
    assert read_all(process.wires) == {}
    poll(lambda: made.document()["ExitCode"] == 6)
    assert not made.document()["Running"]
    assert execs.of(target.id) == []
    process.wires.close()
    poll(lambda: len(told) == 3)
    assert told[:2] == [
        ("exec_create: sh -c read x; exit $x", {"execID": made.id}),
        ("exec_start: sh -c read x; exit $x", {"execID": made.id}),
    ]
    assert told[2] == ("exec_die", {"execID": made.id, "exitCode": "6"})


def test_a_process_starts_once(execs: Execs, target: Target) -> None:
    made = execs.create(target, Command(("sleep", "600")))
    process = execs.start(made, detached=True)
    with pytest.raises(Conflict, match="is already running"):
        execs.start(made, detached=True)
    process.kill()
    poll(lambda: made.exit_code == 137)
    with pytest.raises(Conflict, match="has already run"):
        execs.start(made, detached=True)


def test_one_that_does_not_start_has_its_exit_code(execs: Execs, target: Target) -> None:
    made = execs.create(target, Command(("nosuch",)))
    with pytest.raises(ExecFailed, match="executable file not found"):
        execs.start(made, detached=False)
    assert made.document()["ExitCode"] == 127
    assert not made.document()["Running"]


def test_unknown_ids_and_users(execs: Execs, target: Target) -> None:
    with pytest.raises(NotFound, match="No such exec instance: x"):
        execs.get("x")
    with pytest.raises(BadParameter, match="unable to find user nobody"):
        execs.create(target, Command(("id",), user="nobody"))


def test_a_user_and_privileges(execs: Execs, target: Target) -> None:
    assert execs.run(target, Command(("sh", "-c", "id -u"), user="worker"), timeout=60) == (0, b"1000\n")
    privileged = Command(("cat", "/proc/self/status"), privileged=True)
    assert f"CapBnd:\t{1 | 1 << 21:016x}".encode() in execs.run(target, privileged, timeout=60)[1]


def test_a_size_that_comes_before_the_start_is_kept(execs: Execs, target: Target) -> None:
    made = execs.create(target, Command(("sh", "-c", "stty size; read x"), terminal=True, stdin=True))
    execs.resize(made, 33, 111)
    process = execs.start(made, detached=False)
    shown = Shown(process.wires)
    shown.until(b"33 111")
    execs.resize(made, 1, 2)
    process.kill()
    read_all(process.wires)
    process.wires.close()
    execs.resize(made, 3, 4)


def test_detached_ones_wait_for_nobody(execs: Execs, target: Target) -> None:
    for terminal in (False, True):
        made = execs.create(target, Command(("sh", "-c", "seq 100000; exit 4"), terminal=terminal))
        execs.start(made, detached=True)
        poll(lambda made=made: made.exit_code == 4)  # type: ignore[misc]  # each its own


def test_a_health_check_s_output_is_cut_and_its_time_limited(execs: Execs, target: Target) -> None:
    code, output = execs.run(target, Command(("sh", "-c", "seq 100000; exit 3")), timeout=60, limit=10)
    assert (code, output) == (3, b"1\n2\n3\n4\n5\n")
    with pytest.raises(TimeoutError):
        execs.run(target, Command(("sleep", "600")), timeout=0.5)
    poll(lambda: execs.of(target.id) == [])


def test_many_at_once(execs: Execs, target: Target) -> None:
    found: list[bytes] = []
    work = [
        threading.Thread(target=lambda n=n: found.append(execs.run(target, Command(("echo", str(n))), timeout=60)[1]))
        for n in range(8)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert sorted(found) == [b"%d\n" % n for n in range(8)]


def test_closing_ends_what_runs(execs: Execs, target: Target, tmp_path: Path) -> None:
    made = execs.create(target, Command(("sleep", "600")))
    process = execs.start(made, detached=True)
    execs.close()
    poll(lambda: made.exit_code == 137)
    assert not Path(f"/proc/{process.pid}").exists()
    execs.forget(target.id)
    with pytest.raises(NotFound):
        execs.get(made.id)
    assert list((tmp_path / "exec").iterdir()) == []


def test_ended_ones_are_forgotten_in_time(execs: Execs, target: Target) -> None:
    made = execs.create(target, Command(("true",)))
    execs.start(made, detached=True)
    poll(lambda: made.exit_code == 0)
    execs.create(target, Command(("true",)))
    assert execs.get(made.id) is made
    made.ended_at -= 301
    execs.create(target, Command(("true",)))
    with pytest.raises(NotFound):
        execs.get(made.id)


def test_one_that_can_never_start_is_forgotten(execs: Execs, target: Target) -> None:
    made = execs.create(replace(target, alive=lambda: False), Command(("true",)))
    execs.create(target, Command(("true",)))
    with pytest.raises(NotFound):
        execs.get(made.id)


def test_a_damaged_bundle_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(EngineError, match=r"config\.json cannot be read"):
        process_of(tmp_path)
