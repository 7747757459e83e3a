"""What runc is told of one more process, and docker's words where it does not start."""

import pytest

from runtime.containers.specification.users import User
from runtime.containers.streams.exec_process import Command, ExecFailed, document, environment, failure, parse
from runtime.errors import BadParameter, Conflict

BASE = {
    "args": ["sleep"],
    "env": ["PATH=/bin", "TERM=xterm", "HOME=/root", "A=0"],
    "cwd": "/srv",
    "user": {"uid": 0, "gid": 0},
    "noNewPrivileges": True,
    "consoleSize": {"height": 1, "width": 1},
    "capabilities": {"bounding": ["CAP_CHOWN"]},
}


def test_a_request_is_read() -> None:
    body = {
        **{"Cmd": ["ls", "-l"], "Env": ["A=1"], "User": "web", "WorkingDir": "/srv", "Privileged": True, "Tty": True},
        **{"AttachStdin": True, "AttachStdout": True, "AttachStderr": False, "ConsoleSize": [24, 80]},
    }
    assert parse(body, detach_keys=b"k") == Command(
        ("ls", "-l"), ("A=1",), "web", "/srv", True, True, True, True, False, b"k", (24, 80)
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "No exec command specified"),
        ({"Cmd": []}, "No exec command specified"),
        ({"Cmd": "ls"}, "Cmd has to be a list of strings"),
        ({"Cmd": [1]}, "Cmd has to be a list of strings"),
        ({"Cmd": ["a\0b"]}, "Cmd has to be a list of strings"),
        ({"Cmd": ["a"], "Env": {"A": "1"}}, "Env has to be a list of strings"),
        ({"Cmd": ["a"], "User": 5}, "User has to be a string"),
        ({"Cmd": ["a"], "WorkingDir": "/a\0"}, "WorkingDir has to be a string"),
        ({"Cmd": ["a"], "ConsoleSize": [1]}, "invalid console size"),
        ({"Cmd": ["a"], "ConsoleSize": [1, -1]}, "invalid console size"),
        ({"Cmd": ["a"], "ConsoleSize": "big"}, "invalid console size"),
    ],
)
def test_requests_that_mean_nothing_are_refused(body: dict[str, object], words: str) -> None:
    with pytest.raises(BadParameter, match=words):
        parse(body, detach_keys=b"")


def test_the_container_s_own_rules_hold() -> None:
    made = document(BASE, Command(("ls",)), identity=None, capabilities=None)
    assert made == {
        "args": ["ls"],
        "env": ["PATH=/bin", "HOME=/root", "A=0"],
        "cwd": "/srv",
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "noNewPrivileges": True,
        "capabilities": {"bounding": ["CAP_CHOWN"]},
    }
    assert BASE["args"] == ["sleep"]


def test_another_user_directory_terminal_and_capabilities() -> None:
    command = Command(("ls",), user="5", workdir="/w", terminal=True, size=(2, 3))
    made = document(BASE, command, identity=User(5, 6, (7,), "/home/five"), capabilities=["CAP_B", "CAP_A"])
    assert made["user"] == {"uid": 5, "gid": 6, "additionalGids": [7]}
    assert made["cwd"] == "/w"
    assert made["consoleSize"] == {"height": 2, "width": 3}
    assert made["capabilities"]["effective"] == ["CAP_A", "CAP_B"]
    assert made["env"] == ["PATH=/bin", "HOME=/home/five", "A=0", "TERM=xterm"]


def test_environment_is_laid_over_the_container_s() -> None:
    assert environment(["A=1", "B=2", "C=3"], Command(("x",), env=("B=x=y", "C", "D="))) == ["A=1", "B=x=y", "D="]


@pytest.mark.parametrize("item", ["=x", "", "A=\0"])
def test_an_environment_that_means_nothing_is_refused(item: str) -> None:
    with pytest.raises(BadParameter, match="invalid environment variable"):
        environment([], Command(("x",), env=(item,)))


@pytest.mark.parametrize(
    ("said", "words", "exit_code", "status"),
    [
        ("exec failed: boom", "OCI runtime exec failed: exec failed: boom: unknown", 128, 500),
        ("is a directory", "OCI runtime exec failed: is a directory: unknown: permission denied", 126, 400),
        ("permission denied", "OCI runtime exec failed: permission denied: unknown", 126, 400),
        ("no such file or directory", "OCI runtime exec failed: no such file or directory: unknown", 127, 400),
    ],
)
def test_failures_in_docker_s_words(said: str, words: str, exit_code: int, status: int) -> None:
    log = f'{{"level":"info","msg":"x"}}\n{{"level":"error","msg":"{said}"}}\nnot json\n'
    error = failure(log, "id")
    assert isinstance(error, ExecFailed)
    assert (str(error), error.exit_code, error.status) == (words, exit_code, status)


@pytest.mark.parametrize("log", ["", "[]", '{"level":"info","msg":"x"}'])
def test_a_failure_without_a_reason_is_one(log: str) -> None:
    assert str(failure(log, "id")) == "OCI runtime exec failed: runc said nothing: unknown"


@pytest.mark.parametrize("said", ["container does not exist", "exec failed: cannot exec in a stopped container"])
def test_a_container_that_has_just_ended_is_not_running(said: str) -> None:
    error = failure(f'{{"level":"error","msg":"{said}"}}', "id")
    assert isinstance(error, Conflict)
    assert str(error) == "container id is not running"
