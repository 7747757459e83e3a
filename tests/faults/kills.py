"""Check A1: SIGKILL of every server process at random moments of a mixed load; the oracle judges after each restart.

    python -m tests.faults.kills --count 200 --seed 1
    python -m tests.faults.kills --count 10 --sabotage acknowledge-early      # must fail: 201 before the commit

Each fault: load for 50-1500 ms, SIGKILL to the process group, restart on the same data, ready within 5 s (I9), every
register touched since the last fault and a sample of all older ones (I1-I6, I10), unanswered pushes again (I7).
Every tenth fault and the last one read everything.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.faults.client import Client, repeat
from tests.faults.ledger import Ledger
from tests.faults.load import TAGS, Load
from tests.faults.oracle import Oracle
from tests.faults.report import Options, Report, main
from tests.faults.target import READY_LIMIT, Server

ERA = 10
SAMPLE = 60
REPEATED = 12


def check(options: Options) -> Report:
    """Run the check and return its report."""
    report = Report("A1", options.seed)
    random = options.random()
    with tempfile.TemporaryDirectory(prefix="moorage-kills-") as work:
        ledger = Ledger()
        with Server(Path(work) / "data", options) as server:
            slowest, starved = server.start(), server.starved
            load = Load(server, ledger, options.seed)
            for number in range(1, options.count + 1):
                load.resume()
                time.sleep(random.uniform(0.05, 1.5))
                server.kill()
                load.pause()
                ledger.server_died()
                took, problems = recover(server, ledger, random, whole=number % ERA == 0 or number == options.count)
                slowest, starved = max(slowest, took), max(starved, server.starved)
                report.fault(problems)
                if number % ERA == 0:
                    load.forget()
            load.finish()
    report.extra = {"ready_max_s": round(slowest, 2), "starved_max_s": round(starved, 2), "acknowledged": ledger.acks}
    print(dict(sorted(ledger.counts.items())), file=sys.stderr)
    return report


def recover(server: Server, ledger: Ledger, random: Random, *, whole: bool) -> tuple[float, list[str]]:
    """Start the server again and judge it; returns the seconds until ready and what is wrong."""
    took = server.start()
    own = took - server.starved  # other programs' share of the CPU is not the server's doing
    problems = (
        [] if own <= READY_LIMIT else [f"I9: ready only after {took:.1f} s, {server.starved:.1f} s without a CPU"]
    )
    return took, problems + judge(server, ledger, random, whole=whole)


def judge(server: Server, ledger: Ledger, random: Random, *, whole: bool) -> list[str]:
    """Ask a quiet server for everything, or for what was touched and a sample, and repeat what nobody answered."""
    unanswered = ledger.unanswered()
    with server.wire() as wire:
        problems = Oracle(ledger, wire, server.features).check(sample=None if whole else SAMPLE, random=random)
        client = Client(wire, ledger, TAGS)
        chosen = sorted(random.sample(range(len(unanswered)), min(REPEATED, len(unanswered))))  # blobs before manifests
        return problems + [text for number in chosen if (text := repeat(client, unanswered[number]))]


if __name__ == "__main__":
    sys.exit(main(check, count=200, about=__doc__))
