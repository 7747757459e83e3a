"""Detach keys, windows and bars: what depends on the terminal, without a container."""

from __future__ import annotations

import io
import os
import pty
import termios
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runtime.cli.options import Failure
from runtime.cli.progress import Progress
from runtime.cli.terminal import Detached, DetachKeys, keys, raw


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", b"\x10\x11"),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("ctrl-a", b"\x01"),
        ("ctrl-@,ctrl-[,ctrl-_", b"\x00\x1b\x1f"),
        ("a,ctrl-Z,~", b"a\x1a~"),
    ],
)
def test_keys_have_dockers_names(text: str, found: bytes) -> None:
    assert keys(text) == found


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-aa", "ab", "ctrl-1", "ü", ","])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="invalid detach keys"):
        keys(text)


def test_the_sequence_lets_go_even_when_it_comes_in_pieces() -> None:
    watch = DetachKeys(b"\x10\x11")
    assert watch.through(b"ls\r") == b"ls\r"
    assert watch.through(b"x\x10") == b"x"
    with pytest.raises(Detached):
        watch.through(b"\x11")


def test_a_beginning_that_does_not_go_on_is_passed_on_whole() -> None:
    watch = DetachKeys(b"\x10\x11")
    assert watch.through(b"\x10") == b""
    assert watch.through(b"a") == b"\x10a"
    assert watch.through(b"\x10\x10b") == b"\x10\x10b"


@given(some.lists(some.binary(max_size=8)))
def test_nothing_that_is_typed_gets_lost(pieces: list[bytes]) -> None:
    watch = DetachKeys(b"\x10\x11")
    typed = b"".join(pieces)
    if b"\x10\x11" in typed:
        return
    passed = b"".join(watch.through(piece) for piece in pieces)
    assert passed + (b"\x10" if typed.endswith(b"\x10") else b"") == typed


def test_the_terminal_is_given_back_after_a_failure() -> None:
    ours, theirs = pty.openpty()
    try:
        before = termios.tcgetattr(theirs)
        with pytest.raises(ZeroDivisionError), raw(theirs):
            assert termios.tcgetattr(theirs) != before
            raise ZeroDivisionError
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)


MESSAGES: list[Mapping[str, Any]] = [
    {"status": "Pulling from x", "id": "latest"},
    {"status": "Pulling fs layer", "id": "aaaa"},
    {"status": "Pulling fs layer", "id": "bbbb"},
    {"status": "Downloading", "id": "aaaa", "progressDetail": {"current": 50, "total": 100}},
    {"status": "Pull complete", "id": "aaaa"},
    {"status": "Digest: sha256:x"},
]


def test_without_a_terminal_there_are_lines_and_no_bars() -> None:
    stream = io.StringIO()
    Progress(stream).show(MESSAGES)
    assert stream.getvalue() == (
        "latest: Pulling from x\naaaa: Pulling fs layer\n"
        "bbbb: Pulling fs layer\naaaa: Pull complete\nDigest: sha256:x\n"
    )


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """It has no descriptor, and so no size: bars are drawn."""
        raise OSError


def test_on_a_terminal_each_layer_keeps_its_line() -> None:
    screen = Screen()
    Progress(screen).show(MESSAGES)
    assert screen.getvalue().count("\n") == 4  # three ids and the digest
    assert "\x1b[2A\x1b[2K\raaaa: Downloading [=========================>" in screen.getvalue()
    assert "50B/100B\r\x1b[2B" in screen.getvalue()


def test_an_error_among_the_messages_ends_them() -> None:
    stream = io.StringIO()
    with pytest.raises(Failure, match="no such thing") as told:
        Progress(stream).show(
            [{"stream": "Step 1\n"}, {"error": "x", "errorDetail": {"code": 3, "message": "no such thing"}}]
        )
    assert told.value.status == 3
    assert stream.getvalue() == "Step 1\n"


def test_what_is_aux_is_returned() -> None:
    assert Progress(io.StringIO()).show([{"aux": {"ID": "x"}}, {"stream": "y"}]) == [{"ID": "x"}]
