"""Check M1: the catalog moves to PostgreSQL under a mixed load, and `moorage db migrate` is killed again and again.

    python -m tests.faults.moves --count 30 --seed 1
    python -m tests.faults.moves --count 3 --sabotage leave-out-the-seal    # must fail: pushes after the move are lost
    python -m tests.faults.moves --count 3 --sabotage copy-once             # must fail: nothing is compared again

Each fault: SIGKILL of the move at a random line of its progress. At last it runs to its end, beside a server that never
stops; pulls have to succeed throughout, pushes at least until the seal, and are then told 503 with Retry-After. A
server on PostgreSQL has to have everything that was acknowledged (the oracle's rules).
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.faults.kills import judge
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.report import Options, Report, main
from tests.faults.target import SABOTAGED, Server
from tests.parts.postgres import start_postgres

LINES = 30
"""About as many as a move writes: where it is killed."""
ROWS = 20_000
ENDED_WITHIN = 120.0
MORE_LOAD = 0.3
PUSHERS = 2
"""Few, so that the histories of one era, of which many ends stay open once all is refused, can be explained."""
GOOD_READS = frozenset({"read 200", "read 404"})


def check(options: Options) -> Report:
    """Run the check and return its report."""
    report, random, ledger = Report("M1", options.seed), options.random(), Ledger()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moorage-moves-")))
        postgres = stack.enter_context(start_postgres())
        url = postgres.url(postgres.create())
        server = stack.enter_context(Server(work / "data", replace(options, sabotage="")))
        server.start()
        _fill(server.data)
        load = Load(server, ledger, options.seed, pushers=PUSHERS, pullers=PUSHERS)
        command = Command(server.data, url, options.sabotage)
        for _ in range(options.count):
            load.resume()
            problems = command.killed(random)
            load.pause()
            report.fault(problems + judge(server, ledger, random, whole=False))
            load.forget()
        load.resume()
        problems = command.finished()
        if problems:
            report.fault(problems)
            return report
        acknowledged = ledger.acks
        time.sleep(MORE_LOAD)
        problems += _sealed(server, ledger)
        load.pause()
        load.finish()
        server.stop()
        server.settings = {"MOORAGE_DATABASE__URL": url}
        server.start()
        ledger.server_died()
        report.fault(problems + judge(server, ledger, random, whole=False))
    report.extra = {"acknowledged": acknowledged, "killed": command.kills, "writers_waited": command.waited}
    return report


class Command:
    """`moorage db migrate`, as often as it takes."""

    def __init__(self, data: Path, url: str, sabotage: str) -> None:
        self._command = [sys.executable, "-m", "registry", "db", "migrate", "--json", "--data", str(data), "--to", url]
        self._environment = dict(os.environ)
        if sabotage:
            path = os.pathsep.join(filter(None, (str(SABOTAGED), os.environ.get("PYTHONPATH"))))
            self._environment |= {"PYTHONPATH": path, "FAULTS_SABOTAGE": sabotage}
        self.kills = 0
        self.waited = 0.0

    def killed(self, random: Random) -> list[str]:
        """Start it and kill it at one of its lines; gives what is wrong if it ended before that, and not well."""
        with self._start() as process:
            assert process.stderr is not None
            told = []
            for _ in range(random.randint(1, LINES)):
                told.append(process.stderr.readline())
                if not told[-1]:
                    return _bad_end(process.wait(ENDED_WITHIN), told)
            time.sleep(random.uniform(0, 0.05))
            process.kill()
            self.kills += 1
        return []

    def finished(self) -> list[str]:
        """Run it to its end, which has to be a good one."""
        with self._start() as process:
            document, told = process.communicate(timeout=ENDED_WITHIN)
            self.waited = json.loads(document)["writers_waited_seconds"] if document else 0.0
            return _bad_end(process.returncode, [told])

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _bad_end(status: int, told: list[str]) -> list[str]:
    return [f"the move ended with {status}: {''.join(told)[-500:]}"] if status else []


def _fill(data: Path) -> None:
    """Write rows that the load does not touch, so that a table takes many batches."""
    with sqlite3.connect(data / "moorage.db", timeout=30) as connection:
        connection.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
            " INSERT INTO login_failure (subject, network, at) SELECT 's' || i, 'n', i FROM n"
        )
    connection.close()


def _sealed(server: Server, ledger: Ledger) -> list[str]:
    """See that the server that is still on SQLite refuses a push as one that may be tried again, and that all read."""
    with server.wire() as wire:
        reply = wire.call("POST", "/v2/faults/after/blobs/uploads/")
    problems = [f"{count} times {what}" for what, count in ledger.counts.items() if _failed_read(what)]
    if reply.status != 503 or not reply.header("retry-after"):
        problems.append(f"I1: a push after the move is answered with {reply.status} {dict(reply.headers)}")
    return problems


def _failed_read(what: str) -> bool:
    return what.startswith("read ") and what not in GOOD_READS


if __name__ == "__main__":
    sys.exit(main(check, count=30, about=__doc__))
