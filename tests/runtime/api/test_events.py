"""GET /events: what passes the filters, from when to when, and who hears it."""

import json
import time
from typing import Any

import pytest

from runtime.api import events
from runtime.api.endpoints import Endpoint
from runtime.api.events import matches
from runtime.events import Event
from tests.runtime.api.calls import Api, api

ROWS = (Endpoint("GET", "/events", events.monitor),)
STARTED = Event(
    "container", "start", "abcdef123456", {"name": "web", "image": "team/app:1", "tier": "front"}, 5 * 10**9
)
PULLED = Event("image", "pull", "localhost:5000/team/app:1", {"name": "localhost:5000/team/app"}, 6 * 10**9)
EXECUTED = Event("container", "exec_start: ls -l", "abcdef123456", {"name": "web"}, 7 * 10**9)


@pytest.mark.parametrize(
    ("filters", "event", "passes"),
    [
        ({}, STARTED, True),
        ({"type": ["image", "container"]}, STARTED, True),
        ({"type": ["image"]}, STARTED, False),
        ({"event": ["start"]}, STARTED, True),
        ({"event": ["star"]}, STARTED, False),
        ({"event": ["exec_start"]}, EXECUTED, True),
        ({"event": ["exec_start: ls -l"]}, EXECUTED, True),
        ({"event": ["exec_create"]}, EXECUTED, False),
        ({"container": ["abc"]}, STARTED, True),
        ({"container": ["we"]}, STARTED, True),
        ({"container": ["bcd"]}, STARTED, False),
        ({"image": ["team/app:1"]}, STARTED, True),
        ({"image": ["team/app"]}, STARTED, True),
        ({"image": ["localhost:5000/team/app:1"]}, PULLED, True),
        ({"image": ["localhost:5000/team/app"]}, PULLED, True),
        ({"image": ["localhost"]}, PULLED, False),
        ({"label": ["tier"]}, STARTED, True),
        ({"label": ["tier=front", "name=web"]}, STARTED, True),
        ({"label": ["tier=back"]}, STARTED, False),
        ({"label": ["tier=front", "missing"]}, STARTED, False),
        ({"scope": ["local"]}, STARTED, True),
        ({"scope": ["swarm"]}, STARTED, False),
        ({"type": ["container"], "event": ["die"]}, STARTED, False),
    ],
)
def test_filters(filters: dict[str, list[str]], event: Event, passes: bool) -> None:
    assert matches(filters, event) is passes


def asked(running: Api, query: str) -> list[Any]:
    return [line["Action"] for line in running.ask(f"/events?{query}").lines]


def test_the_past_between_two_moments() -> None:
    with api(ROWS) as running:
        for event in (STARTED, PULLED, EXECUTED):
            running.engine.events.publish(event)
        assert asked(running, "since=0&until=10") == ["start", "pull", "exec_start: ls -l"]
        assert asked(running, "since=5.5&until=6.000000000") == ["pull"]
        assert asked(running, "until=5") == ["start"]
        assert asked(running, "since=1970-01-01T00:00:07Z&until=10") == ["exec_start: ls -l"]
        only_images = '{"type":{"image":true}}'.replace('"', "%22")
        assert asked(running, f"since=0&until=10&filters={only_images}") == ["pull"]


def test_the_future_until_a_moment_without_the_past() -> None:
    with api(ROWS) as running, running.server.connect() as client:
        running.engine.events.publish(STARTED)
        client.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        client.until(b"\r\n\r\n")
        running.engine.events.publish(PULLED)
        line = client.until(b"}\r\n").partition(b"{")
        assert json.loads(line[1] + line[2])["Action"] == "pull"
    with api(ROWS) as running:
        assert asked(running, f"until={time.time() + 0.1:.9f}") == []


@pytest.mark.parametrize("query", ["since=yesterday", "until=1.2.3", "since=-", "since=%00", "filters=%5B1%5D"])
def test_what_cannot_be_read_is_refused(query: str) -> None:
    with api(ROWS) as running:
        assert running.ask(f"/events?{query}").status == 400


def test_a_listener_that_reads_too_slowly_is_cut_off_and_one_that_left_is_forgotten() -> None:
    with api(ROWS) as running, running.server.connect() as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        client.until(b"\r\n\r\n")
        big = Event("container", "start", "a", {"name": "x" * 10_000})
        for _ in range(events.WAITING * 3):
            running.engine.events.publish(big)
        assert not client.rest().endswith(b"0\r\n\r\n")
