"""Clients at containers' streams: terminals, detaching, silence, vanishing; by the stock docker command and by hand."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine, start_engine
from tests.runtime.whole.conftest import IMAGE
from tests.runtime.whole.talking import Talk, at_terminal, descriptors, memory, poll, unframed

pytestmark = pytest.mark.e2e

MEBIBYTE = 2**20
BOTH = "stream=1&stdout=1&stderr=1"


@pytest.fixture(autouse=True)
def no_containers(engine: RunningEngine) -> Iterator[None]:
    yield
    engine.remove_containers()


def begun(engine: RunningEngine, *command: str, options: tuple[str, ...] = ()) -> str:
    return engine.docker("run", "--detach", "--network=none", *options, IMAGE, *command).strip()


def state(engine: RunningEngine, name: str, field: str = "Status") -> str:
    return engine.docker("inspect", "--format", f"{{{{.State.{field}}}}}", name).strip()


def created_exec(engine: RunningEngine, name: str, *command: str, **chosen: object) -> str:
    body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, **chosen}
    talk = Talk(engine, "POST", f"/containers/{name}/exec", body, upgrade=False)
    assert talk.status == 201
    found: str = json.loads(talk.until(b"}"))["Id"]
    talk.close()
    return found


def test_a_terminal_of_a_new_container_follows_the_window(engine: RunningEngine) -> None:
    script = "sleep 1; trap 'busybox stty size' WINCH; busybox stty size; echo sized; read x; read x; exit 5"
    with at_terminal(engine, "run", "-it", "--network=none", IMAGE, "sh", "-c", script, size=(33, 111)) as terminal:
        terminal.until(b"sized")
        assert b"33 111" in terminal.text
        terminal.resize(44, 122)
        terminal.until(b"44 122")
        terminal.type(b"\r")
        assert terminal.ends() == 5


def test_a_shell_by_exec(engine: RunningEngine) -> None:
    name = begun(engine, "sleep", "600")
    with at_terminal(engine, "exec", "-it", name, "sh", size=(33, 111)) as terminal:
        terminal.type(b"busybox stty size; echo a$((20+22))b\r")
        terminal.until(b"a42b")
        terminal.until(b"33 111")
        terminal.resize(44, 122)
        terminal.type(b"sleep 1; busybox stty size\r")
        terminal.until(b"44 122")
        terminal.type(b"exit 3\r")
        assert terminal.ends() == 3


@pytest.mark.parametrize(("option", "keys"), [((), b"\x10\x11"), (("--detach-keys=ctrl-x,a",), b"\x18a")])
def test_detach_keys_leave_the_container_running(engine: RunningEngine, option: tuple[str, ...], keys: bytes) -> None:
    script = "while read x; do echo got $x; done"
    arguments = ("run", "-it", *option, "--name=held", "--network=none", IMAGE, "sh", "-c", script)
    with at_terminal(engine, *arguments) as terminal:
        terminal.type(b"one\r")
        terminal.until(b"got one")
        terminal.type(keys)
        assert terminal.ends() == 0
    assert state(engine, "held") == "running"
    with at_terminal(engine, "attach", "held") as terminal:
        terminal.type(b"two\r")
        terminal.until(b"got two")
        terminal.type(b"\x10\x11")
        terminal.ends()
    assert state(engine, "held") == "running"


def test_an_exec_is_left_by_its_keys_and_goes_on(engine: RunningEngine) -> None:
    name = begun(engine, "sleep", "600")
    script = "echo ready; read x; echo got $x; sleep 1; echo on > /on; sleep 600"
    with at_terminal(engine, "exec", "-it", name, "sh", "-c", script) as terminal:
        terminal.until(b"ready")
        terminal.type(b"go\r")
        terminal.until(b"got go")
        terminal.type(b"\x10\x11")
        terminal.ends()
    poll(lambda: "A /on" in engine.docker("diff", name))


def test_heads_by_version_and_terminal(engine: RunningEngine) -> None:
    name = begun(engine, "sleep", "600")
    cases = [
        ("", True, "HTTP/1.1 101", "vnd.docker.multiplexed-stream"),
        ("/v1.41", True, "HTTP/1.1 101", "vnd.docker.raw-stream"),
        ("", False, "HTTP/1.1 200", "vnd.docker"),
    ]
    for version, upgrade, status, kind in cases:
        talk = Talk(engine, "POST", f"{version}/containers/{name}/attach?{BOTH}", upgrade=upgrade)
        assert talk.head.startswith(status)
        assert kind in talk.head.lower()
        talk.close()


def test_attach_begins_with_the_log_where_that_is_asked(engine: RunningEngine) -> None:
    name = begun(engine, "sh", "-c", "echo early; read x; echo late >&2", options=("--interactive",))
    poll(lambda: engine.docker("logs", name) != "")
    talk = Talk(engine, "POST", f"/containers/{name}/attach?{BOTH}&stdin=1&logs=1")
    talk.until(b"early\n")
    talk.socket.sendall(b"go\n")
    assert unframed(talk.rest()) == {2: b"late\n"}
    talk.close()


@pytest.mark.parametrize(
    ("query", "words"), [("detachKeys=ctrl-", "Invalid detach keys (ctrl-) provided"), ("detachKeys=a,,b", "Invalid")]
)
def test_detach_keys_that_are_none(engine: RunningEngine, query: str, words: str) -> None:
    name = begun(engine, "sleep", "600")
    talk = Talk(engine, "POST", f"/containers/{name}/attach?{BOTH}&{query}")
    assert talk.status == 400
    assert words in talk.until(b"}").decode()
    talk.close()


def test_a_paused_container_takes_no_client(engine: RunningEngine) -> None:
    name = begun(engine, "sleep", "600")
    engine.docker("pause", name)
    for arguments in (("attach", name), ("exec", name, "true")):
        with pytest.raises(CommandFailed, match="paused"):
            engine.docker(*arguments)


def test_an_exec_ends_with_its_container(engine: RunningEngine) -> None:
    name = begun(engine, "sleep", "600")
    with at_terminal(engine, "exec", "-it", name, "sh", "-c", "echo here; sleep 600") as terminal:
        terminal.until(b"here")
        engine.docker("kill", name)
        assert terminal.ends() == 137
    with pytest.raises(CommandFailed, match="is not running"):
        engine.docker("exec", name, "true")


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (("nosuch",), 127, "executable file not found in"),
        (("/bin",), 126, "permission denied"),
        (("sh", "-c", "exit 9"), 9, ""),
    ],
)
def test_exit_codes_of_exec(engine: RunningEngine, command: tuple[str, ...], status: int, words: str) -> None:
    name = begun(engine, "sleep", "600")
    with at_terminal(engine, "exec", name, *command) as terminal:
        assert terminal.ends() == status
        assert words.encode() in terminal.text


def test_an_exec_s_directory_does_not_lead_to_the_host(engine: RunningEngine) -> None:
    """CVE-2024-21626: a descriptor of the runtime's, left open, as the directory to begin in."""
    name = begun(engine, "sleep", "600")
    for number in range(3, 12):
        with pytest.raises(CommandFailed, match="OCI runtime exec failed"):
            engine.docker("exec", "--workdir", f"/proc/self/fd/{number}", name, "ls")


def test_clients_that_vanish_leave_nothing(engine: RunningEngine) -> None:
    name = begun(engine, "sh", "-c", "echo here; sleep 600", options=("--interactive",))
    engine.docker("exec", name, "true")
    before = descriptors(engine)
    for _ in range(3):
        clients = [
            Talk(engine, "POST", f"/containers/{name}/attach?{BOTH}&stdin=1"),
            Talk(engine, "GET", f"/containers/{name}/logs?follow=1&stdout=1", upgrade=False),
            Talk(engine, "GET", f"/containers/{name}/stats", upgrade=False),
        ]
        for client in clients:
            client.close()
    poll(lambda: descriptors(engine) <= before, "descriptors are left over")
    assert state(engine, name) == "running"


def test_a_client_that_waits_for_a_start_and_vanishes_leaves_nothing(engine: RunningEngine) -> None:
    name = engine.docker("create", "--network=none", IMAGE, "echo", "hello").strip()
    before = descriptors(engine)
    for _ in range(3):
        Talk(engine, "POST", f"/containers/{name}/attach?{BOTH}").close()
    poll(lambda: descriptors(engine) <= before, "descriptors are left over")
    assert engine.docker("start", "--attach", name) == "hello"


def test_an_exec_goes_on_without_its_client(engine: RunningEngine) -> None:
    name = begun(engine, "sleep", "600")
    one = created_exec(engine, name, "sh", "-c", "echo here; sleep 1; seq 100000; exit 6")
    talk = Talk(engine, "POST", f"/exec/{one}/start", {"Detach": False, "Tty": False})
    talk.until(b"here\n")
    talk.close()
    poll(lambda: exec_document(engine, one)["ExitCode"] == 6)
    assert not exec_document(engine, one)["Running"]


def exec_document(engine: RunningEngine, one: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(engine.request("GET", f"/exec/{one}/json")[1])
    return found


def test_a_client_that_does_not_read_holds_up_its_container_and_not_the_daemon(engine: RunningEngine) -> None:
    name = engine.docker("create", "--network=none", IMAGE, "cat", "/dev/zero").strip()
    before = memory(engine)
    talk = Talk(engine, "POST", f"/containers/{name}/attach?{BOTH}")
    engine.docker("start", name)
    log = engine.data / "containers" / name / "ctr.log"
    sizes = [-1]

    def still() -> bool:
        sizes.append(log.stat().st_size)
        return len(sizes) > 30 and len(set(sizes[-30:])) == 1

    poll(still, "the container is not held up")
    assert sizes[-1] < 4 * MEBIBYTE
    assert memory(engine) < before + 16 * MEBIBYTE
    engine.docker("kill", name)  # the client still does not read
    poll(lambda: state(engine, name) == "exited", "its end waits for the client")
    assert state(engine, name, "ExitCode") == "137"
    data = talk.rest()
    assert len(data) > MEBIBYTE // 4
    assert set(unframed(data)) == {1}
    talk.close()


def test_silent_clients_of_every_kind_cost_the_daemon_no_memory(engine: RunningEngine) -> None:
    name = begun(engine, "sh", "-c", "while :; do echo line; done")
    one = created_exec(engine, name, "cat", "/dev/zero")
    before = memory(engine)
    clients = [
        Talk(engine, "GET", f"/containers/{name}/logs?follow=1&stdout=1", upgrade=False),
        Talk(engine, "GET", f"/containers/{name}/export", upgrade=False),
        Talk(engine, "POST", f"/exec/{one}/start", {"Detach": False}),
    ]
    for _ in range(30):
        assert memory(engine) < before + 16 * MEBIBYTE
        time.sleep(0.1)
    for client in clients:
        client.close()
    poll(lambda: engine.docker("exec", name, "echo", "alive") == "alive")


def test_exec_s_of_another_time(engine: RunningEngine) -> None:
    assert engine.request("GET", "/exec/nosuch/json") == (404, b'{"message":"No such exec instance: nosuch"}')
    name = begun(engine, "sleep", "600")
    one = created_exec(engine, name, "true")
    engine.docker("rm", "--force", name)
    talk = Talk(engine, "POST", f"/exec/{one}/start", {"Detach": True}, upgrade=False)
    assert talk.status == 404
    talk.close()


@pytest.mark.faults
def test_a_container_is_attached_to_again_when_the_daemon_comes_back(archive: Path) -> None:
    with start_engine() as engine:
        engine.docker("load", "--input", archive)
        name = begun(engine, "sh", "-c", "while read x; do echo got $x; done; echo over", options=("--interactive",))
        one = created_exec(engine, name, "sleep", "600")
        Talk(engine, "POST", f"/exec/{one}/start", {"Detach": True}, upgrade=False).close()
        for end in (engine.kill, engine.stop):
            end()
            engine.start()
            talk = Talk(engine, "POST", f"/containers/{name}/attach?{BOTH}&stdin=1")
            talk.socket.sendall(b"word\n")
            talk.until(b"got word\n")
            talk.close()
            assert engine.docker("exec", name, "echo", "alive") == "alive"
            assert list((engine.directory / "run" / "exec").iterdir()) == []
        assert engine.request("GET", f"/exec/{one}/json")[0] == 404
        assert engine.docker("logs", name) == "got word\ngot word"
