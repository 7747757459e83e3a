"""Check B4: the connections to PostgreSQL are cut every two seconds of a mixed load, half of the times within COMMITs.

    python -m tests.faults.cuts --count 30 --seed 1
    python -m tests.faults.cuts --count 3 --sabotage acknowledge-early      # must fail: 201 before the commit

Each fault: load for 2 s with one cut of everything or ten lost COMMITs (the question or only the answer) at random
moments; then the server is asked until it answers, which may take a second, and the oracle judges. All the while a
reader sees that nothing but 200 and 503 with Retry-After comes, within ten seconds.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults.kills import judge
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.proxy import Loss, Proxy
from tests.faults.report import Options, Report, main
from tests.faults.target import Server
from tests.faults.wire import Lost
from tests.parts.postgres import start_postgres

PERIOD = 2.0
LOST_AT_ONCE = 10
ANSWERED_WITHIN = 10.0
HEALED_WITHIN = 1.0
ERA = 10
HOPELESS = frozenset({"500", "501", "502", "504", "507"})


@dataclass
class Reader:
    """Somebody who pulls all the while."""

    server: Server
    problems: list[str] = field(default_factory=list)
    told: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Read one list again and again; what is wrong with an answer is kept."""
        with self.server.wire(timeout=2 * ANSWERED_WITHIN) as wire:
            while not self._over.wait(0.01):
                try:
                    reply = wire.call("GET", "/v2/_catalog")
                except Lost as error:
                    self.problems.append(f"no answer: {error}")
                    continue
                self.told += reply.status == 503
                if reply.status not in (200, 503) or (reply.status == 503 and not reply.header("retry-after")):
                    self.problems.append(f"{reply.status} {dict(reply.headers)} {reply.body[:200]!r}")
                if reply.end - reply.start > ANSWERED_WITHIN:
                    self.problems.append(f"{reply.status} only after {reply.end - reply.start:.1f} s")

    def end(self) -> list[str]:
        """Stop, and give what was wrong."""
        self._over.set()
        return self.problems


def check(options: Options) -> Report:
    """Run the check and return its report."""
    report, random, ledger = Report("B4", options.seed), options.random(), Ledger()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moorage-cuts-")))
        postgres = stack.enter_context(start_postgres())
        name = postgres.create()
        proxy = stack.enter_context(Proxy(postgres.port))
        urls = {"URL": postgres.url(name, proxy.port), "DIRECT_URL": postgres.url(name)}
        settings = {f"MOORAGE_DATABASE__{key}": url for key, url in urls.items()}
        server = stack.enter_context(Server(work / "data", options, settings))
        server.start()
        load = Load(server, ledger, options.seed)
        for number in range(1, options.count + 1):
            report.fault(fault(server, load, proxy, random, whole=number % ERA == 0 or number == options.count))
            if number % ERA == 0:
                load.forget()
        load.finish()
        report.extra = {"acknowledged": ledger.acks, "connections_cut": proxy.cuts, "commits_lost": proxy.losses}
    print(dict(sorted(ledger.counts.items())), file=sys.stderr)
    return report


def fault(server: Server, load: Load, proxy: Proxy, random: Random, *, whole: bool) -> list[str]:
    """Break the connections once under load, and say what was wrong then and afterwards."""
    reader = Reader(server)
    thread = threading.Thread(target=reader.run, daemon=True)
    thread.start()
    load.resume()
    moment = random.uniform(0.1, PERIOD - 0.1)
    time.sleep(moment)
    losses = [random.choice(list(Loss)) for _ in range(LOST_AT_ONCE)]
    (proxy.cut if random.random() < 0.5 else lambda: proxy.lose(*losses))()
    time.sleep(PERIOD - moment)
    load.pause()
    problems = reader.end()
    thread.join(2 * ANSWERED_WITHIN)
    load.ledger.server_died()
    problems = [*problems, *_unhealed(server), *_unexpected(load.ledger)]
    return problems + judge(server, load.ledger, random, whole=whole)


def _unhealed(server: Server) -> list[str]:
    """Ask until every part answers; say if that took too long."""
    began = time.monotonic()
    while time.monotonic() - began < ANSWERED_WITHIN:
        if server.ready() and _lists(server):
            took = time.monotonic() - began
            return [] if took < HEALED_WITHIN else [f"healed only after {took:.1f} s"]
        time.sleep(0.05)
    return [f"not healed within {ANSWERED_WITHIN:.0f} s"]


def _lists(server: Server) -> bool:
    with server.wire() as wire:
        return wire.call("GET", "/v2/_catalog").status == 200


def _unexpected(ledger: Ledger) -> list[str]:
    """Say which answers came that a client cannot wait out: a 500, say."""
    return [f"{number} times: {what}" for what, number in ledger.counts.items() if what.rpartition(" ")[2] in HOPELESS]


if __name__ == "__main__":
    sys.exit(main(check, count=30, about=__doc__))
