"""The sweep of one replica and the sessions of another: who writes slowly is left alone, what was given up goes.

Sessions expire after four seconds here; a PATCH takes three times as long.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.sessions import Session, problem, slowly
from tests.faults.wire import Wire
from tests.parts.ceph import Ceph
from tests.parts.postgres import Postgres
from tests.parts.replicas import Replicas, shared_parts, start_replicas
from tests.replicas.front import Front

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]

SECONDS = 12.0
SIZE = 20 << 20
SWEEPING = "[uploads]\nexpiry = 4\nsweep_interval = 1\n"


@pytest.fixture
def sweeping(postgres: Postgres, ceph: Ceph, tmp_path: Path) -> Iterator[Replicas]:
    """Two replicas that sweep every five seconds what rested for four."""
    with (
        shared_parts(postgres, ceph, SWEEPING) as shared,
        start_replicas(shared, tmp_path, args=["--open"]) as replicas,
    ):
        yield replicas


def test_a_slow_upload_is_not_swept_and_an_abandoned_one_is(sweeping: Replicas) -> None:
    front, content = Front(sweeping), os.urandom(SIZE)
    abandoned = Session(front, "sweeps/app").open()
    assert not problem(abandoned.patch(content[:100], 0), 202)
    session = Session(front, "sweeps/app").open()
    assert not problem(session.patch(slowly(content, 80, SECONDS), 0, len(content)), 202)
    assert session.finish(content, len(content)) == []
    end = time.monotonic() + 60
    while abandoned.status().status != 404 or _left(sweeping):
        assert time.monotonic() < end, _left(sweeping)
        time.sleep(0.5)
    for server in sweeping.servers:
        with Wire("127.0.0.1", server.port) as wire:
            assert wire.call("GET", abandoned.location).status == 404


def _left(replicas: Replicas) -> list[str]:
    store = replicas.shared.store
    return [item["Key"] for item in (*store.multiparts(""), *store.objects("uploads/"))]
