"""One replica is killed under a push: what was acknowledged is at the other, where the client's retry ends the push."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from random import Random

import pytest

from tests.faults.oracle import digest_of
from tests.faults.sessions import Session, problem, received
from tests.faults.wire import Lost
from tests.parts.replicas import Replicas
from tests.parts.server import RunningServer
from tests.replicas.front import Front

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]

ROUNDS = 6 if os.environ.get("MOORAGE_TEST_ALL") else 3
SEED = 20261125
PIECE = 256 << 10


def killing(content: bytes, at: int, victim: RunningServer) -> Iterator[bytes]:
    """Yield the content in pieces, and kill a server once so many bytes of it are sent."""
    for first in range(0, len(content), PIECE):
        if victim.process is not None and first >= at:
            victim.kill()
        yield content[first : first + PIECE]
        time.sleep(0.005)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_kill_in_the_middle_of_a_patch(front: Front, replicas: Replicas, number: int) -> None:
    """Through the proxy: a chunk is acknowledged, the next one cut; the status at the other tells where to go on."""
    random, repository = Random(f"{SEED}/{number}"), f"kills/patch{number}"
    content = random.randbytes(random.randint(2 << 20, 24 << 20))
    cut = random.choice((0, random.randint(1, len(content) // 2)))
    session = Session(front, repository).open()
    if cut:
        assert not problem(session.patch(content[:cut], 0), 202)
    assert not problem(session.status(), 204)
    last = replicas.proxy.turns(session.location)[-1].port
    victim = next(server for server in replicas.servers if server.port != last)  # whose turn it is now
    at = random.randint(1, len(content) - cut - 1)
    try:
        patched = session.patch(killing(content[cut:], at, victim), cut, len(content) - cut)
    except Lost:
        patched = None
    try:
        assert victim.process is None, "the PATCH was over before the kill"
        assert patched is None or patched.status == 502, patched
        status = session.status()
        assert not problem(status, 204)
        assert cut <= received(status) or cut == 1
        assert session.finish(content, received(status)) == []
        assert {turn.port for turn in replicas.proxy.turns(digest_of(content))} == {last}
    finally:
        victim.start()
    assert session.blob(digest_of(content)).body == session.blob(digest_of(content)).body == content
