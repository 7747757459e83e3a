"""Builds whose client goes away, whose daemon is killed, and that go on beside each other: nothing stays behind."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.parts.engine import RunningEngine, start_engine
from tests.runtime.build.builds import build, context, leftovers
from tests.runtime.build.test_building import EVERYTHING, FILES, in_image

pytestmark = [pytest.mark.e2e, pytest.mark.faults]

WITHIN = 60.0


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    limit = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < limit, f"{what} did not come true in time"
        time.sleep(0.05)


def received(client: socket.socket) -> bytes:
    """Read what comes next of an answer that is not at its end."""
    data = client.recv(65536)
    assert data, "the answer ended"
    return data


def test_a_client_that_goes_away_ends_its_build(engine: RunningEngine) -> None:
    body = context("FROM busybox\nRUN echo begun; sleep 600\n")
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(WITHIN)
    client.connect(str(engine.socket))
    head = f"POST /build?networkmode=none HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)
    said = b""
    while b'"begun\\n"' not in said:
        said += received(client)
    client.close()
    until(lambda: leftovers(engine) == [], "the end of the build")


def test_a_client_that_goes_away_while_it_sends(engine: RunningEngine) -> None:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(engine.socket))
    client.sendall(b"POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    client.sendall(context("FROM busybox\n", {"big": bytes(100_000)})[:50_000])
    client.close()
    until(lambda: leftovers(engine) == [], "the end of the build")


def test_builds_at_the_same_time(engine: RunningEngine) -> None:
    body = context(EVERYTHING, FILES)
    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(lambda n: build(engine, body, t=f"many:{n}", nocache="1"), range(4)))
    assert len({each.image for each in built}) == 4
    assert in_image(engine, "many:3", "cat", "/work/x/out.txt") == "built"
    assert leftovers(engine) == []


def test_a_killed_daemon_leaves_nothing_of_a_build(base: Path) -> None:
    with start_engine() as own:
        own.docker("load", "--input", base)
        body = context("FROM busybox\nRUN true\nRUN echo begun; sleep 600\n")
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(WITHIN)
        client.connect(str(own.socket))
        head = f"POST /build?networkmode=none HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        said = b""
        while b'"begun\\n"' not in said:
            said += received(client)
        own.kill()
        client.close()
        own.start()
        until(lambda: leftovers(own) == [], "an empty data root")
