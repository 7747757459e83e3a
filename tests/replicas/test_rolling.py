"""A8 with two replicas: ten restarts, one replica after the other, under four pushers and four pullers.

No operation fails with three retries, no tag goes back, all that was acknowledged is there, each exit is in time, and
after a sweep the store holds what the catalog names and nothing else. Then the same, exits apart, by kills.
Fewer restarts without MOORAGE_TEST_ALL=1.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.ceph import Ceph
from tests.parts.postgres import Postgres
from tests.parts.replicas import Replicas, shared_parts, start_replicas
from tests.parts.server import RunningServer
from tests.replicas.conftest import SETTINGS
from tests.replicas.front import Front
from tests.replicas.load import Load

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]

RESTARTS, KILLS = (10, 4) if os.environ.get("MOORAGE_TEST_ALL") else (3, 2)
SEED = 20261125
DRAIN = 10.0
GRACE = 5.0  # the process's own end on a busy machine
BETWEEN = 0.5  # seconds of load with both
SWEEPING = {"MOORAGE_UPLOADS__EXPIRY": "1", "MOORAGE_UPLOADS__SWEEP_INTERVAL": "1"}


@pytest.fixture
def pair(postgres: Postgres, ceph: Ceph, tmp_path: Path) -> Iterator[tuple[Replicas, Postgres]]:
    """Two replicas of this test's own, and the database server."""
    environment = {"MOORAGE_SERVER__DRAIN_TIMEOUT": f"PT{DRAIN:g}S"}
    with (
        shared_parts(postgres, ceph, SETTINGS) as shared,
        start_replicas(shared, tmp_path, args=["--open"], environment=environment) as replicas,
    ):
        yield replicas, postgres


def test_rolling_restarts_fail_no_client(pair: tuple[Replicas, Postgres]) -> None:
    exits = _restarted_under_load(*pair, RESTARTS, RunningServer.stop)
    assert all(status == 0 and took <= DRAIN + GRACE for status, took in exits), exits


def test_kills_in_turn_fail_no_client(pair: tuple[Replicas, Postgres]) -> None:
    _restarted_under_load(*pair, KILLS, RunningServer.kill)


def _restarted_under_load(
    replicas: Replicas, postgres: Postgres, count: int, end: Callable[[RunningServer], int | None]
) -> list[tuple[int | None, float]]:
    """End and start the replicas in turn, judge what clients saw and what is left; give each exit and its seconds."""
    front, exits = Front(replicas), []
    with Load(front, SEED) as load:
        for number in range(count):
            time.sleep(BETWEEN)
            server = replicas.servers[number % len(replicas.servers)]
            begun = time.monotonic()
            exits.append((end(server), time.monotonic() - begun))
            server.start()
        time.sleep(BETWEEN)
    print(f"{count} restarts, the longest exit {max(took for _, took in exits):.1f} s; {dict(load.done)};")
    print(f"tries {dict(load.tries)}; retried after {dict(load.reasons)}")
    assert not load.wrong, load.wrong[:3]
    assert load.done["manifest push"] >= 2 * count, "the load came to a standstill"
    _all_there(front, load)
    _nothing_left(replicas, postgres)
    return exits


def _all_there(front: Front, load: Load) -> None:
    """Pull everything that was ever acknowledged."""
    with front.wire(timeout=60) as wire:
        for tag in load.tags:
            load.pull(wire, tag, tag.acknowledged)
            for body in tag.bodies[: tag.acknowledged]:
                load.blobs(wire, tag, body)
    assert not load.wrong, load.wrong[:3]


def _nothing_left(replicas: Replicas, postgres: Postgres) -> None:
    """Sweep at once what a day would sweep, and compare the store with the catalog."""
    for server in replicas.servers:
        server.environment = {**server.environment, **SWEEPING}
        server.restart()
    database = replicas.shared.address.rpartition("/")[2]
    named = set(postgres.psql("SELECT key FROM blob UNION SELECT key FROM discarded_key", database).split())
    store, end = replicas.shared.store, time.monotonic() + 60
    while True:
        found = {item["Key"] for item in store.objects("")} - {"format"}
        parts = list(store.multiparts(""))
        if found == named and not parts:
            return
        assert time.monotonic() < end, (
            f"left over: {sorted(found - named)[:5]}, lost: {named - found}, parts: {parts[:3]}"
        )
        time.sleep(0.5)
