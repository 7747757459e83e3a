"""Work that several wait for: done once, told to all, stopped when nobody waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.images import transfers
from runtime.images.transfers import Abandoned, Inbox, Say, Transfers, follow

WITHIN = 30.0


@pytest.fixture
def two() -> Iterator[Transfers]:
    """Two at a time."""
    made = Transfers(2)
    yield made
    made.close()


def test_lines_come_in_order_and_of_progress_the_newest(two: Transfers) -> None:
    inbox, told = Inbox(), list[Any]()

    def work(say: Say) -> None:
        for current in range(100):
            say({"id": "a", "status": "Downloading", "current": current})
        say({"id": "a", "status": "Pull complete"})

    follow([two.join("a", work, inbox)], inbox, told.append)
    assert [line["status"] for line in told][-1] == "Pull complete"
    progress = [line["current"] for line in told if "current" in line]
    assert progress == sorted(progress) and progress[-1] == 99


def test_who_comes_later_shares_and_hears_the_last_line(two: Transfers) -> None:
    go, said, runs = threading.Event(), threading.Event(), list[int]()

    def work(say: Say) -> None:
        runs.append(1)
        say({"id": "a", "status": "begun"})
        said.set()
        assert go.wait(WITHIN)

    first, second = Inbox(), Inbox()
    transfer = two.join("a", work, first)
    assert said.wait(WITHIN)
    assert two.join("a", work, second) is transfer
    go.set()
    told = list[Any]()
    follow([transfer], second, told.append)
    assert told == [{"id": "a", "status": "begun"}]
    assert runs == [1]


def test_a_failure_is_everybodys_and_is_not_kept(two: Transfers) -> None:
    go = threading.Event()

    def fails(_: Say) -> None:
        assert go.wait(WITHIN)
        raise ValueError("broken")

    inboxes = [Inbox(), Inbox()]
    joined = [two.join("a", fails, inbox) for inbox in inboxes]
    go.set()
    for transfer, inbox in zip(joined, inboxes, strict=True):
        with pytest.raises(ValueError, match="broken"):
            follow([transfer], inbox, lambda line: None)
    done = Inbox()
    follow([two.join("a", lambda say: None, done)], done, lambda line: None)


def test_what_nobody_waits_for_stops(two: Transfers) -> None:
    stopped, begun, left = threading.Event(), threading.Event(), threading.Event()

    def work(say: Say) -> None:
        begun.set()
        assert left.wait(WITHIN)
        try:
            say({"id": "a"})
        except Abandoned:
            stopped.set()
            raise

    inbox = Inbox()
    transfer = two.join("a", work, inbox)
    assert begun.wait(WITHIN)
    transfer.leave(inbox)
    left.set()
    assert stopped.wait(WITHIN)


def test_what_waits_for_its_turn_and_is_left_never_runs() -> None:
    one = Transfers(1)
    go, ran = threading.Event(), list[int]()
    busy, waiting = Inbox(), Inbox()
    first = one.join("a", lambda say: assert_true(go.wait(WITHIN)), busy)
    second = one.join("b", lambda say: ran.append(1), waiting)
    second.leave(waiting)
    go.set()
    follow([first], busy, lambda line: None)
    one.close()
    assert ran == []


def assert_true(value: bool) -> None:
    """A statement where Python wants an expression."""
    assert value


def test_a_follower_is_asked_now_and_then_whether_he_is_there(two: Transfers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "HEARTBEAT", 0.02)
    go, heard = threading.Event(), list[Any]()

    def work(say: Say) -> None:
        say({"id": "a", "status": "stalled"})
        assert go.wait(WITHIN)

    def feed(line: Any) -> None:
        heard.append(line)
        if len(heard) == 3:
            raise ConnectionError

    inbox = Inbox()
    with pytest.raises(ConnectionError):
        follow([two.join("a", work, inbox)], inbox, feed)
    go.set()
    assert heard == [{"id": "a", "status": "stalled"}] * 3
