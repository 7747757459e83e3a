"""Check A1w: SIGKILL of one worker among several under mixed load; the others must go on, and a new one take its place.

    python -m tests.faults.worker_kills --count 100 --seed 1
    python -m tests.faults.worker_kills --count 10 --sabotage stale-tags      # must fail: I3, a worker remembers tags

Unlike A1 the server is never restarted: what the dead worker held (locks, a transaction, an upload) must come free by
itself. While the load pauses the oracle asks everything (I1-I6, I10), unanswered pushes are repeated (I7), and all
workers are there again within 5 s. Reads during the load count too: tags are linearizable across all workers (I3).
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.faults.kills import ERA, judge
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.report import Options, Report, main
from tests.faults.target import READY_LIMIT, Server, members


def check(options: Options) -> Report:
    """Run the check and return its report."""
    report = Report("A1w", options.seed)
    random = options.random()
    with tempfile.TemporaryDirectory(prefix="moorage-worker-") as work, Server(Path(work) / "data", options) as server:
        server.start()
        ledger = Ledger()
        load = Load(server, ledger, options.seed)
        for number in range(1, options.count + 1):
            load.resume()
            time.sleep(random.uniform(0.05, 1.5))
            victim = random.choice(workers(server))
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            time.sleep(random.uniform(0, 0.5))
            load.pause()
            ledger.server_died()
            problems = _refilled(server, options.workers)
            report.fault(problems + judge(server, ledger, random, whole=number % ERA == 0 or number == options.count))
            if number % ERA == 0:
                load.forget()
        load.finish()
    report.extra = {"acknowledged": ledger.acks}
    return report


def workers(server: Server) -> list[int]:
    """Return the worker processes: everything in the group but its leader."""
    leader = server.process.pid if server.process else 0
    return [process for process in members(leader) if process != leader]


def _refilled(server: Server, wanted: int) -> list[str]:
    """I9: ready at once, and all workers there again in time."""
    found = [] if server.ready() else ["I9: not ready although a worker lives"]
    deadline = time.monotonic() + READY_LIMIT
    while len(workers(server)) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    count = len(workers(server))
    return found if count >= wanted else [*found, f"I9: {count} of {wanted} workers after {READY_LIMIT} s"]


if __name__ == "__main__":
    sys.exit(main(check, count=100, about=__doc__))
