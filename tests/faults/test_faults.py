"""The short forms of the fault checks, and for each one a sabotaged server that it must catch.

The long forms are commands: `python -m tests.faults.kills --count 200` and so on; docs/reliability.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import (
    attaches,
    chunks,
    cuts,
    disconnects,
    drain,
    full_disk,
    kills,
    moves,
    power_cuts,
    same_blob,
    slow_clients,
    worker_kills,
)
from tests.faults.report import Options, Report
from tests.parts.tools import require, require_root

pytestmark = [pytest.mark.faults, pytest.mark.slow]
SEED = 20260901
MOUNTING = (power_cuts.check, full_disk.check)
Check = Callable[[Options], Report]


def slow_clients_shortly(options: Options) -> Report:
    """Half a minute: long enough to see slow heads cut."""
    return slow_clients.Crowd(options, 26).run()


def _need_for(check: Check) -> None:
    if check in MOUNTING:
        require("mkfs.ext4")
        require_root()


GREEN = [
    pytest.param(kills.check, 15, id="A1"),
    pytest.param(worker_kills.check, 8, id="A1w"),
    pytest.param(power_cuts.check, 6, id="A3"),
    pytest.param(full_disk.check, 1, id="A5"),
    pytest.param(drain.check, 2, id="A8"),
    pytest.param(cuts.check, 10, id="B4", marks=pytest.mark.postgresql),
    pytest.param(same_blob.check, 2, id="C3"),
    pytest.param(chunks.check, 1, id="C5"),
    pytest.param(disconnects.check, 40, id="C6"),
    pytest.param(attaches.check, 3, id="C8"),
    pytest.param(slow_clients_shortly, 60, id="E4"),
    pytest.param(moves.check, 2, id="M1", marks=pytest.mark.postgresql),
]
RED = [
    pytest.param(kills.check, 3, "acknowledge-early", "I3", id="A1"),
    pytest.param(worker_kills.check, 3, "stale-tags", "I3", id="A1w"),
    pytest.param(power_cuts.check, 3, "eatmydata", "I3", id="A3"),
    pytest.param(full_disk.check, 1, "stay-full", "wanted 507", id="A5"),
    pytest.param(drain.check, 1, "deaf", "SIGTERM", id="A8-deaf"),
    pytest.param(drain.check, 1, "die-at-once", "were cut", id="A8-die"),
    pytest.param(cuts.check, 3, "acknowledge-early", "I", id="B4", marks=pytest.mark.postgresql),
    pytest.param(same_blob.check, 1, "trust-what-is-there", "I4", id="C3"),
    pytest.param(chunks.check, 1, "skip-offset-check", "overlap", id="C5"),
    pytest.param(disconnects.check, 12, "lie-about-range", "resuming", id="C6"),
    pytest.param(attaches.check, 2, "lose-referrers", "I6", id="C8"),
    pytest.param(slow_clients_shortly, 20, "block-the-loop", "p99", id="E4"),
    pytest.param(moves.check, 0, "leave-out-the-seal", "I", id="M1", marks=pytest.mark.postgresql),
]


@pytest.mark.parametrize(("check", "count"), GREEN)
def test_survives(check: Check, count: int) -> None:
    _need_for(check)
    report = check(Options(count, SEED))
    assert report.passed, report.line()


@pytest.mark.parametrize(("check", "count", "sabotage", "sign"), RED)
def test_catches_a_sabotaged_server(check: Check, count: int, sabotage: str, sign: str) -> None:
    _need_for(check)
    if sabotage == "eatmydata":
        require("eatmydata")
    report = check(Options(count, SEED, sabotage=sabotage))
    assert not report.passed, f"{sabotage} was not noticed: {report.line()}"
    assert any(sign in text for text in report.violations), report.violations[:3]
