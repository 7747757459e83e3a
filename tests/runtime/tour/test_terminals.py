"""Containers on a terminal, by both command lines: sizes, keys, signals, and letting go of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parts.server import ADMIN_PASSWORD
from tests.runtime.tour.clients import Client
from tests.runtime.tour.conftest import BUSYBOX, Place

pytestmark = pytest.mark.e2e

PROMPT = ">"
OPTIONS = ("--network", "none", "-e", f"PS1={PROMPT}")
TRAP = "trap 'echo got; exit 4' INT TERM; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def name(client: Client) -> Iterator[str]:
    """A container's name that is free at the start and again at the end."""
    chosen = f"on-a-terminal-{client.name}"
    yield chosen
    client("rm", "-f", chosen)


def test_the_size_follows_the_window_and_the_status_is_the_containers(client: Client) -> None:
    with client.terminal("run", "-it", "--rm", *OPTIONS, BUSYBOX, "sh") as terminal:
        terminal.expect(PROMPT)
        terminal.type("stty size\r")
        terminal.expect("33 111")
        terminal.expect(PROMPT)
        terminal.resize(20, 70)
        terminal.type("while [ \"$(stty size)\" != '20 70' ]; do sleep 0.1; done; echo now $(stty size)\r")
        terminal.expect("now 20 70")
        terminal.type("exit 5\r")
        assert terminal.wait() == 5


def test_keys_go_to_the_container_and_two_of_them_let_go_of_it(client: Client, name: str) -> None:
    with client.terminal("run", "-it", "--name", name, *OPTIONS, BUSYBOX, "sh") as terminal:
        terminal.expect(PROMPT)
        terminal.type("echo it sleeps; sleep 100\r")
        terminal.expect("\nit sleeps")
        terminal.type("\x03")
        terminal.expect(PROMPT)
        before = terminal.settings()
        terminal.type("\x10\x11")
        assert terminal.wait() == 0
        assert before != terminal_of(client)  # while it was attached, keys went through as they were
    assert client.ok("inspect", "-f", "{{.State.Running}}", name) == "true"
    with client.terminal("attach", name) as terminal:
        terminal.type("\r")
        terminal.expect(PROMPT)
        terminal.type("echo back$((1+1)); exit 3\r")
        terminal.expect("back2")
        assert terminal.wait() == 3


def terminal_of(client: Client) -> list[object]:
    """The settings that a terminal has when nothing was done to it."""
    with client.terminal("version") as terminal:
        terminal.wait()
        return terminal.settings()


def test_exec_has_a_terminal_of_its_own(client: Client, name: str) -> None:
    client.ok("run", "-d", "--name", name, *OPTIONS, BUSYBOX, "sleep", "1000")
    with client.terminal("exec", "-it", name, "sh") as terminal:
        terminal.expect(PROMPT)
        terminal.type("stty size; ls /bin\r")
        terminal.expect("33 111")
        terminal.expect("busybox")
        terminal.type("exit 6\r")
        assert terminal.wait() == 6
    with client.terminal("exec", "-it", name, "sh", "-c", "echo ready; sleep 100") as terminal:
        terminal.expect("ready")
        terminal.type("\x03")
        assert terminal.wait() == 130


def test_signals_are_passed_on_to_the_container(client: Client) -> None:
    with client.terminal("run", "--rm", *OPTIONS, BUSYBOX, "sh", "-c", TRAP) as terminal:
        terminal.expect("ready")
        terminal.type("\x03")  # the terminal is not the container's: the kernel makes it SIGINT of the client
        terminal.expect("got")
        assert terminal.wait() == 4


def test_start_attaches_to_what_ran_before(client: Client, name: str) -> None:
    client.ok("create", "-it", "--name", name, *OPTIONS, BUSYBOX, "sh", "-c", "echo once more; exit 7")
    for _ in range(2):
        with client.terminal("start", "-ai", name) as terminal:
            terminal.expect("once more")
            assert terminal.wait() == 7


def test_progress_moves_on_a_terminal_and_the_terminal_is_whole_after_an_error(client: Client) -> None:
    with client.terminal("run", "-it", "--rm", *OPTIONS, BUSYBOX, "nosuch") as terminal:
        assert terminal.wait() == 127
        assert "executable file not found" in terminal.seen


def test_a_password_is_asked_for_and_not_shown(client: Client, place: Place) -> None:
    with client.terminal("login", place.registry.host) as terminal:
        terminal.expect("Username: ")
        terminal.type("admin\r")
        terminal.expect("Password: ")
        terminal.type(f"{ADMIN_PASSWORD}\r")
        terminal.expect("Login Succeeded")
        assert terminal.wait() == 0
        assert ADMIN_PASSWORD not in terminal.seen
    again = client("login", place.registry.host)
    assert again.status == 0 and "Login Succeeded" in again.out


def test_bars_move_and_the_last_lines_stay(client: Client, place: Place) -> None:
    name = f"{place.registry.host}/bars/{client.name}:1"
    client.ok("login", "-u", "admin", "--password-stdin", place.registry.host, stdin=ADMIN_PASSWORD)
    client.ok("tag", BUSYBOX, name)
    with client.terminal("push", name) as terminal:
        terminal.expect("Preparing")
        terminal.expect("digest: sha256:")
        assert terminal.wait() == 0
    with client.terminal("pull", name) as terminal:
        terminal.expect("Pulling from")
        terminal.expect("Status: Image is up to date for|Status: Downloaded newer image for")
        assert terminal.wait() == 0
    client.ok("rmi", name)
