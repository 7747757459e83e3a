"""C5 with two replicas: every way to push a blob, every request of it to the other replica than the one before.

Under MOORAGE_TEST_ALL=1 twenty rounds of each variant of the chunk protocol and five of each flow, otherwise two.
"""

from __future__ import annotations

import http.client
import os
from itertools import pairwise
from random import Random

import pytest

from tests.faults.chunks import VARIANTS, Variant
from tests.faults.oracle import digest_of
from tests.faults.sessions import Session
from tests.faults.wire import Lost
from tests.parts.replicas import Replicas
from tests.replicas.flows import FLOWS, Flow
from tests.replicas.front import Front

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]

WHOLE = bool(os.environ.get("MOORAGE_TEST_ALL"))
CHUNKS, FLOWS_EACH, RESTARTS = (20, 5, 3) if WHOLE else (2, 2, 1)
SEED = 20261125
RESTARTING = ("after_sigterm", "after_sigkill")


def test_requests_of_one_connection_go_to_different_replicas(replicas: Replicas) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", replicas.proxy.port, timeout=30)
    for _ in range(10):
        connection.request("GET", "/v2/turns/none/tags/list")
        assert connection.getresponse().read()
    connection.close()
    turns = replicas.proxy.turns("/v2/turns/none/", 10)
    assert len({turn.connection for turn in turns}) == 1
    ports = [turn.port for turn in turns]
    assert set(ports) == {server.port for server in replicas.servers}
    assert all(one != next_one for one, next_one in pairwise(ports)), ports


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_chunk_protocol(front: Front, variant: Variant) -> None:
    random, repository = Random(f"{SEED}/{variant.__name__}"), f"chunks/{variant.__name__.replace('_', '-')}"
    restarts = variant.__name__ in RESTARTING
    for number in range(RESTARTS if restarts else CHUNKS):
        content = random.randbytes(random.choice((64, 4_000, 300_000, 2_500_000)))
        cut = random.randint(20, len(content) - 20)
        try:
            found = variant(Session(front, repository).open(), content, cut, random)
        except Lost as error:
            found = [f"no answer: {error}"]
        assert not found, f"round {number}: {found}"
    if not restarts:
        first, second = front.shares(repository)
        assert abs(first - second) <= 1


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.push.__name__)
def test_flow(front: Front, flow: Flow) -> None:
    random, repository = Random(f"{SEED}/{flow.push.__name__}"), f"flows/{flow.push.__name__.replace('_', '-')}"
    for number in range(FLOWS_EACH):
        content = random.randbytes(random.choice((flow.size[1], random.randint(*flow.size))))
        found = flow.push(Session(front, repository).open(), content, random)
        assert not found, f"round {number}, {len(content)} bytes of {digest_of(content)}: {found}"
    first, second = front.shares(repository)
    assert abs(first - second) <= 1
