"""More processes in a running container, by the real runc: streams, terminals, ends, and docker's words."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.containers.specification.users import User
from runtime.containers.streams import exec_process, exec_run
from runtime.containers.streams.exec_process import Command, ExecFailed
from runtime.containers.streams.exec_run import Process
from runtime.containers.streams.wires import STDERR, STDOUT
from runtime.errors import Conflict
from tests.parts.bundles import PATIENCE, Bundle, running
from tests.parts.tools import require
from tests.runtime.containers.clients import Shown, descriptors, feed, poll, read_all

pytestmark = pytest.mark.e2e

MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def bundle() -> Iterator[Bundle]:
    with running("sleep", "600") as one:
        yield one


def begin(bundle: Bundle, tmp_path: Path, *argv: str, identity: User | None = None, **chosen: Any) -> Process:
    base = json.loads((bundle.directory / "config.json").read_text())["process"]
    command = Command(argv, **chosen)
    document = exec_process.document(base, command, identity=identity, capabilities=None)
    runc = (require("runc"), "--root", str(bundle.runtime_root))
    return exec_run.start(runc, bundle.id, document, command, tmp_path / "room")


def outcome(process: Process) -> tuple[dict[int, bytes], int]:
    """All that it wrote, and its status."""
    found = read_all(process.wires)
    status = process.wait()
    process.wires.close()
    return found, status


def test_streams_and_status(bundle: Bundle, tmp_path: Path) -> None:
    process = begin(bundle, tmp_path, "sh", "-c", "cat; echo err >&2; exit 5", stdin=True)
    assert Path(f"/proc/{process.pid}/status").exists()
    feed(process.wires, b"in\n")
    assert outcome(process) == ({STDOUT: b"in\n", STDERR: b"err\n"}, 5)
    assert not (tmp_path / "room").exists()


def test_twenty_megabytes_each_way(bundle: Bundle, tmp_path: Path) -> None:
    sent = os.urandom(20 * MEBIBYTE)
    process = begin(bundle, tmp_path, "cat", stdin=True)
    writer = threading.Thread(target=feed, args=(process.wires, sent))
    writer.start()
    found, status = outcome(process)
    writer.join(PATIENCE)
    assert status == 0
    assert found[STDOUT] == sent


def test_a_terminal_has_the_asked_size_and_each_later_one(bundle: Bundle, tmp_path: Path) -> None:
    script = "stty size; trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done"
    process = begin(bundle, tmp_path, "sh", "-c", script, terminal=True, stdin=True, size=(33, 111))
    shown = Shown(process.wires)
    shown.until(b"ready")
    assert b"33 111\r\n" in shown.text
    process.resize(44, 122)
    shown.until(b"44 122")
    assert outcome(process)[1] == 3
    process.resize(1, 1)


def test_a_terminal_echoes_once(bundle: Bundle, tmp_path: Path) -> None:
    process = begin(
        bundle, tmp_path, "sh", "-c", "read x; echo got $x; test -t 1 && echo tty", terminal=True, stdin=True
    )
    feed(process.wires, b"word\n")
    assert outcome(process) == ({STDOUT: b"word\r\ngot word\r\ntty\r\n"}, 0)


def test_a_terminal_of_ours_changes_no_byte(tmp_path: Path) -> None:
    """Also before the runtime has made it raw: this one never does."""
    runtime = tmp_path / "runtime"
    runtime.write_text("#!/bin/sh\nshift 6; echo $$ > $3.new; mv $3.new $3; echo shown; read x; echo $x\n")
    runtime.chmod(0o700)
    command = Command(("true",), terminal=True, stdin=True)
    process = exec_run.start((str(runtime),), "id", {}, command, tmp_path / "room")
    feed(process.wires, b"typed\n")
    assert outcome(process) == ({STDOUT: b"shown\ntyped\n"}, 0)


def test_a_terminal_shows_all_of_much_output(bundle: Bundle, tmp_path: Path) -> None:
    process = begin(bundle, tmp_path, "seq", "200000", terminal=True)
    found, _ = outcome(process)
    assert found[STDOUT] == b"".join(b"%d\r\n" % n for n in range(1, 200001))


def test_environment_directory_and_user(bundle: Bundle, tmp_path: Path) -> None:
    process = begin(
        *(bundle, tmp_path, "sh", "-c", "echo $A $TERM-$HOME; pwd; id"),
        identity=User(1000, 1000, (2000,), "/tmp"),
        env=("A=1",),
        user="worker",
        workdir="/tmp",
    )
    assert outcome(process)[0] == {STDOUT: b"1 -/tmp\n/tmp\nuid=1000(worker) gid=1000(worker) groups=2000(tools)\n"}


@pytest.mark.parametrize(
    ("argv", "exit_code", "words"),
    [
        (("nosuch",), 127, 'exec: "nosuch": executable file not found in $PATH: unknown'),
        (("/nosuch",), 127, "no such file or directory: unknown"),
        (("/etc/passwd",), 126, "permission denied: unknown"),
        (("/etc",), 126, "permission denied"),
    ],
)
def test_what_cannot_start_says_why(
    bundle: Bundle, tmp_path: Path, argv: tuple[str, ...], exit_code: int, words: str
) -> None:
    before = descriptors()
    with pytest.raises(ExecFailed) as refusal:
        begin(bundle, tmp_path, *argv)
    assert str(refusal.value).startswith("OCI runtime exec failed: exec failed: ")
    assert words in str(refusal.value)
    assert refusal.value.exit_code == exit_code
    assert refusal.value.status == 400
    assert list(tmp_path.iterdir()) == []
    assert descriptors() == before


def test_a_signal_s_number_is_in_the_status(bundle: Bundle, tmp_path: Path) -> None:
    process = begin(bundle, tmp_path, "sleep", "600")
    process.kill()
    assert outcome(process) == ({}, 137)
    process.kill()


def test_nobody_reads_and_the_process_goes_on(bundle: Bundle, tmp_path: Path) -> None:
    process = begin(bundle, tmp_path, "sh", "-c", f"head -c {4 * MEBIBYTE} /dev/zero; exit 9")
    process.drain()
    assert process.wait() == 9


def test_a_container_that_stops_ends_its_processes(tmp_path: Path) -> None:
    with running("sleep", "600") as bundle:
        process = begin(bundle, tmp_path, "sh", "-c", "echo here; sleep 600")
        shown = Shown(process.wires)
        shown.until(b"here")
        bundle.kill()
        assert outcome(process)[1] == 137
        bundle.exit_code()
        poll(lambda: not Path(f"/proc/{process.pid}").exists())
        with pytest.raises(Conflict, match="is not running"):
            begin(bundle, tmp_path, "true")


def test_descriptors_are_given_back(bundle: Bundle, tmp_path: Path) -> None:
    before = descriptors()
    for terminal in (False, True):
        process = begin(bundle, tmp_path, "cat", stdin=True, terminal=terminal)
        feed(process.wires, b"\x04" if terminal else b"")
        outcome(process)
        process.wires.close()
    assert descriptors() == before
