"""`docker logs`, `stats` and `top` on real containers: what is there, what comes, and their ends."""

import json
import re
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine, start_engine
from tests.parts.tools import require
from tests.runtime.whole.conftest import IMAGE
from tests.runtime.whole.talking import Talk, at_terminal, poll, unframed

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def no_containers(engine: RunningEngine) -> Iterator[None]:
    yield
    engine.remove_containers()


def begun(engine: RunningEngine, *command: str, options: tuple[str, ...] = ()) -> str:
    return engine.docker("run", "--detach", "--network=none", *options, IMAGE, *command).strip()


def ended(engine: RunningEngine, *command: str, options: tuple[str, ...] = ()) -> str:
    name = begun(engine, *command, options=options)
    engine.docker("wait", name)
    return name


def test_the_last_lines_with_times_and_details(engine: RunningEngine) -> None:
    name = ended(engine, "sh", "-c", "seq 1 5; echo -n unfinished")
    assert engine.docker("logs", "--tail=2", name) == "5\nunfinished"
    assert engine.docker("logs", "--tail=0", name) == ""
    assert engine.docker("logs", "--tail=all", name) == "1\n2\n3\n4\n5\nunfinished"
    shown = engine.docker("logs", "--timestamps", "--details", "--tail=1", name)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z  unfinished", shown)


def test_times_are_chosen(engine: RunningEngine) -> None:
    name = ended(engine, "sh", "-c", "echo first; sleep 2; echo second")
    moment = engine.docker("logs", "--timestamps", name).splitlines()[1].split()[0]
    assert engine.docker("logs", "--since", moment, name) == "second"
    assert engine.docker("logs", "--until", "1s", name).splitlines()[:1] == ["first"]
    with pytest.raises(CommandFailed):
        engine.docker("logs", "--since", "nonsense", name)
    assert engine.request("GET", f"/containers/{name}/logs?stdout=1&since=x")[0] == 400


def test_following_shows_what_comes_and_ends_with_the_container(engine: RunningEngine) -> None:
    name = begun(engine, "sh", "-c", "echo one; read x; echo two; exit 3", options=("--interactive",))
    with at_terminal(engine, "logs", "--follow", name) as following:
        following.until(b"one")
        with at_terminal(engine, "attach", name) as typing:
            typing.type(b"go\r")
            following.until(b"two")
            typing.ends()
        assert following.ends() == 0


def test_following_one_that_has_ended_ends_at_once(engine: RunningEngine) -> None:
    name = ended(engine, "echo", "done")
    assert engine.docker("logs", "--follow", name) == "done"


def test_following_ends_at_its_time(engine: RunningEngine) -> None:
    name = begun(engine, "sh", "-c", "echo one; sleep 600")
    until = time.time() + 1.5
    talk = Talk(engine, "GET", f"/v1.41/containers/{name}/logs?follow=1&stdout=1&until={until:.6f}", upgrade=False)
    data = talk.until(b"0\r\n\r\n")
    assert b"one\n" in data
    assert time.time() >= until
    talk.close()


def test_a_terminal_s_log_is_raw(engine: RunningEngine) -> None:
    name = ended(engine, "sh", "-c", "echo one; echo two >&2", options=("--tty",))
    status, data = engine.request("GET", f"/containers/{name}/logs?stdout=1&stderr=1")
    assert (status, data) == (200, b"one\r\ntwo\r\n")
    name = ended(engine, "sh", "-c", "echo one; echo two >&2")
    assert unframed(engine.request("GET", f"/containers/{name}/logs?stdout=1&stderr=1")[1]) == {
        1: b"one\n",
        2: b"two\n",
    }
    assert unframed(engine.request("GET", f"/containers/{name}/logs?stderr=1")[1]) == {2: b"two\n"}


def test_a_stream_has_to_be_chosen(engine: RunningEngine) -> None:
    name = ended(engine, "true")
    status, data = engine.request("GET", f"/containers/{name}/logs")
    assert status == 400
    assert b"you must choose at least one stream" in data
    assert engine.request("GET", "/containers/nosuch/logs?stdout=1")[0] == 404


def test_what_a_container_uses_once_and_by_the_second(engine: RunningEngine) -> None:
    name = begun(engine, "sh", "-c", "while :; do :; done")
    once = json.loads(engine.request("GET", f"/containers/{name}/stats?stream=0&one-shot=1")[1])
    assert once["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert once["preread"] == "0001-01-01T00:00:00Z"
    both = json.loads(engine.request("GET", f"/containers/{name}/stats?stream=0")[1])
    assert both["cpu_stats"]["cpu_usage"]["total_usage"] > both["precpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert both["id"] == name
    talk = Talk(engine, "GET", f"/containers/{name}/stats", upgrade=False)
    lines = [talk.until(b"}\r\n") for _ in range(2)]
    assert b'"precpu_stats":{"cpu_usage":{"total_usage":0' in lines[0]
    assert b'"precpu_stats":{"cpu_usage":{"total_usage":0' not in lines[1]
    talk.close()
    shown = engine.docker("stats", "--no-stream", "--format", "{{.ID}} {{.PIDs}} {{.MemUsage}}", name)
    assert shown.startswith(f"{name[:12]} 1 ")


def test_what_one_uses_that_does_not_run(engine: RunningEngine) -> None:
    name = ended(engine, "true")
    found = json.loads(engine.request("GET", f"/containers/{name}/stats?stream=0")[1])
    assert (found["read"], found["memory_stats"], found["id"]) == ("0001-01-01T00:00:00Z", {}, name)
    with pytest.raises(CommandFailed, match="is not running"):
        engine.docker("top", name)


def test_its_processes(engine: RunningEngine) -> None:
    name = begun(engine, "sh", "-c", "sleep 600 & sleep 500; true")
    poll(lambda: len(engine.docker("top", name).splitlines()) == 4)
    shown = engine.docker("top", name, "-o", "pid,args").splitlines()
    assert shown[0].split() == ["PID", "COMMAND"]
    assert {" ".join(line.split()[1:]) for line in shown[2:]} <= {"sleep 600", "sleep 500"}
    with pytest.raises(CommandFailed):
        engine.docker("top", name, "--nonsense")


@pytest.mark.slow
def test_a_log_that_is_begun_anew_is_followed_on(archive: str) -> None:
    """Rotation: conmon throws away what was written before; who follows has seen it."""
    with start_engine(environment={"MOOR_LOG_SIZE_MAX": "200000"}) as engine:
        engine.docker("load", "--input", archive)
        script = "read x; for n in $(seq 1 40); do seq $((n*1000)) $((n*1000+999)); sleep 0.1; done"
        name = begun(engine, "sh", "-c", script, options=("--interactive",))
        command = [require("docker"), "--host", f"unix://{engine.socket}", "logs", "--follow", name]
        following = subprocess.Popen(command, stdout=subprocess.PIPE)
        time.sleep(1)
        with at_terminal(engine, "attach", name) as typing:
            typing.type(b"go\r")
            shown, _ = following.communicate(timeout=100)
        assert [int(line) for line in shown.split()] == list(range(1000, 41000))
        assert (engine.data / "containers" / name / "ctr.log").stat().st_size < 210_000
