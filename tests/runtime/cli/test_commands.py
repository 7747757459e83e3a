"""Commands as processes of their own, against a daemon that writes down what it is asked."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime.cli.conftest import CODE, Moor, moor_environment
from tests.runtime.cli.recorder import recording

INFO = (200, {"IndexServerAddress": "registry.test:5000"})
LOGGED_IN = (200, {"IdentityToken": "", "Status": "Login Succeeded"})


def auth_of(headers: dict[str, str]) -> object:
    """What X-Registry-Auth carries."""
    return json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"]))


def test_a_login_is_tried_kept_sent_with_a_pull_and_forgotten(short: Path, moor: Moor) -> None:
    pulled = (200, b'{"status":"Status: Downloaded newer image for app:latest"}\n')
    with recording(short, {"GET /info": INFO, "POST /auth": LOGGED_IN, "POST /images/create": pulled}) as recorder:
        done = moor("login", "-u", "ann", "--password-stdin", stdin="s3cret\r\n")
        assert (done.returncode, done.stdout) == (0, "Login Succeeded\n")
        assert "stored unencrypted" in done.stderr
        tried = {"username": "ann", "password": "s3cret", "serveraddress": "registry.test:5000"}
        assert recorder.last("POST /auth").json() == tried
        assert moor("pull", "app").stdout.splitlines()[-1] == "app:latest"
        asked = recorder.last("POST /images/create")
        assert asked.path == "/images/create?fromImage=app&tag=latest"
        assert auth_of(dict(asked.headers)) == tried
        moor("pull", "other.test/app:2")
        assert auth_of(dict(recorder.last("POST /images/create").headers)) == {}
        assert moor("logout").stdout == "Removing login credentials for registry.test:5000\n"
        assert json.loads((short / "config" / "config.json").read_text())["auths"] == {}


def test_a_refused_login_is_not_kept(short: Path, moor: Moor) -> None:
    refused = (401, {"message": "Get https://registry.test/v2/: unauthorized: wrong password"})
    with recording(short, {"POST /auth": refused}):
        done = moor("login", "-u", "ann", "--password-stdin", "registry.test", stdin="wrong")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error response from daemon: Get https://registry.test/v2/: unauthorized: wrong password\n"
    assert not (short / "config" / "config.json").exists()


@pytest.mark.parametrize(
    ("words", "stdin", "sentence"),
    [
        ("login r.test", "", "cannot perform an interactive login from a non-TTY device"),
        ("login --password-stdin r.test", "x", "requires --username to be set"),
        ("login -u a --password-stdin r.test", " \n", "password is empty"),
        ("login -u a -p x --password-stdin r.test", "x", "cannot specify both --password and --password-stdin"),
    ],
)
def test_a_login_that_cannot_be_asked_for_is_refused(
    short: Path, moor: Moor, words: str, stdin: str, sentence: str
) -> None:
    with recording(short, {}) as recorder:
        done = moor(*words.split(), stdin=stdin)
        assert done.returncode == 1 and sentence in done.stderr
        assert not [one for one in recorder.asked if one.path == "/auth"]


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ("nosuch", 1, "moor: unknown command: moor nosuch"),
        ("container nosuch", 1, "moor: unknown command: moor container nosuch"),
        ("pull", 1, "moor: 'moor pull' requires 1 argument"),
        ("pull a b", 1, "moor: 'moor pull' requires 1 argument"),
        ("stop", 1, "moor: 'moor stop' requires at least 1 argument"),
        ("ps x", 1, "moor: 'moor ps' accepts no arguments"),
        ("ps -z", 125, "unknown shorthand flag: 'z' in -z"),
        ("ps --nope", 125, "unknown flag: --nope"),
        ("ps -n", 125, "flag needs an argument: 'n' in -n"),
        ("ps --no-trunc=maybe", 125, 'invalid argument "maybe" for "--no-trunc" flag: strconv.ParseBool'),
        ("ps -f novalue", 125, "invalid filter 'novalue'"),
        ("images --format {{", 1, "failed to parse template: template: :1: unclosed action"),
        ("-H tcp://1.2.3.4 ps", 1, "the engine listens on unix sockets only"),
        ("push a@sha256:abc", 1, "cannot push a digest reference"),
        ("pull -a a:1", 1, "tag can't be used with --all-tags/-a"),
    ],
)
def test_what_is_written_wrongly_is_told_with_dockers_status(
    short: Path, moor: Moor, words: str, status: int, sentence: str
) -> None:
    with recording(short, {"GET /images/json": (200, [])}):
        done = moor(*words.split())
    assert (done.returncode, done.stdout) == (status, "")
    assert sentence in done.stderr and "Traceback" not in done.stderr


def test_flags_may_be_given_with_a_value(short: Path, moor: Moor) -> None:
    with recording(short, {"GET /containers/json": (200, [])}) as recorder:
        for words, path in (
            ("ps -a=false", "/containers/json"),
            ("ps -aq", "/containers/json?all=1"),
            ("ps --all=true -a=0 -a", "/containers/json?all=1"),
            ("ps -n2", "/containers/json?limit=2"),
            ("ps -n=3", "/containers/json?limit=3"),
        ):
            assert moor(*words.split()).returncode == 0
            assert recorder.last("GET /containers/json").path == path


def test_no_daemon_is_told_and_none_is_started_for_another_host(moor: Moor) -> None:
    done = moor("ps")
    assert done.returncode == 1
    assert "Cannot connect to the Moorage engine at unix://" in done.stderr


def test_version_and_help_need_no_daemon(moor: Moor) -> None:
    assert moor("--version").stdout.startswith("Moorage engine version ")
    assert "Common Commands:" in moor("--help").stdout
    assert "Usage:  moor run [OPTIONS] IMAGE [COMMAND] [ARG...]" in moor("run", "--help").stdout
    assert moor("version").returncode == 1


def test_every_word_can_be_imported_and_says_what_it_does(moor: Moor) -> None:
    from runtime.cli.main import GROUPS, WORDS
    from runtime.cli.main import moor as group

    for name in WORDS:
        command = group.get_command(group.make_context("moor", [], resilient_parsing=True), name)
        assert command is not None and command.name == name and command.help, name
    for name, (_, words) in GROUPS.items():
        assert moor(name, "--help").returncode == 0
        assert words


DAEMONS = ("api", "http", "containers", "images", "networks", "volumes", "build", "daemon", "doctor", "engine")
HEAVY = ("starlette", "h11", "urllib3", "asyncio", "email", "http", "tomllib", "sqlalchemy", "dnslib", "zstandard")


def test_a_command_starts_without_the_daemons_rooms_and_what_is_heavy(short: Path) -> None:
    code = "import sys, json; from runtime.cli.main import run; run(['ps']); print(json.dumps(sorted(sys.modules)))"
    # What measures coverage loads modules of its own into every process.
    environment = {name: value for name, value in moor_environment(short).items() if not name.startswith("COVERAGE")}
    with recording(short, {"GET /containers/json": (200, [])}):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "runtime.cli.commands.listing" in loaded
    assert not loaded & {*(f"runtime.{room}" for room in DAEMONS), *HEAVY}


def test_a_shell_completes_commands_and_the_daemons_names(short: Path, moor: Moor) -> None:
    listed = (200, [{"Names": ["/web"]}, {"Names": ["/worker"]}, {"Names": ["/db"]}])
    with recording(short, {"GET /containers/json": listed}):
        for words, expected in (("moor lo", {"load", "login", "logout", "logs"}), ("moor stop w", {"web", "worker"})):
            asked = {"_MOOR_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
            assert {line.partition(",")[2] for line in moor(**asked).stdout.splitlines()} == expected
    for shell in ("bash", "zsh", "fish"):
        assert "_MOOR_COMPLETE" in moor("completion", shell).stdout
    assert moor("completion", "tcsh").returncode == 1


def test_a_reader_that_goes_away_is_no_traceback(short: Path) -> None:
    many = [{"Id": f"{number:064}", "Created": 1, "Size": 1, "RepoTags": [f"x:{number}"]} for number in range(20_000)]
    with recording(short, {"GET /images/json": (200, many)}):
        moor = subprocess.Popen(
            [sys.executable, "-c", CODE, "images"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=moor_environment(short),
        )
        assert moor.stdout is not None and moor.stderr is not None
        moor.stdout.readline()
        moor.stdout.close()
        assert moor.wait(60) == 1
        assert moor.stderr.read() == b""
        moor.stderr.close()
