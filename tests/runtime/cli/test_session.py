"""Which engine a command speaks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cli.options import Failure
from runtime.cli.session import Session, chosen_socket


def test_an_own_engine_comes_first_and_the_machines_where_its_group_lets_in(tmp_path: Path) -> None:
    own, system = tmp_path / "own.sock", tmp_path / "system.sock"
    assert chosen_socket(own, system) == own  # neither is there: the own one is started
    system.touch()
    assert chosen_socket(own, system) == system
    own.touch()
    assert chosen_socket(own, system) == own


def test_a_host_is_a_unix_socket() -> None:
    assert Session("unix:///a/b.sock").socket == "/a/b.sock"
    with pytest.raises(Failure, match="unix sockets only"):
        Session("tcp://127.0.0.1:2375").socket  # noqa: B018  # reading it is the test


def test_logins_are_where_docker_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setenv("HOME", "/home/ann")
    assert Session().config == Path("/home/ann/.docker")
    monkeypatch.setenv("DOCKER_CONFIG", "/elsewhere")
    assert Session().config == Path("/elsewhere")
    assert Session(directory=tmp_path).config == tmp_path
