"""Check A3: simulated power cuts under mixed load; a second server on the copy must hold all that was acknowledged.

    python -m tests.faults.power_cuts --count 50 --seed 1
    python -m tests.faults.power_cuts --count 6 --sabotage eatmydata              # must fail: fsync does nothing
    python -m tests.faults.power_cuts --count 6 --target docker-registry          # fails: no fsync of directories

The data directory lies on an ext4 of a loop device (disk.py). Every other cut comes at the very moment of an
acknowledgement, the rest at random moments. On each copy: ready within 5 s (I9), everything acknowledged so far
(I1-I6, I10), unanswered pushes again (I7), and SQLite's integrity_check. From half-way on, the catalogue lies on a
volume of its own, and both volumes are cut at one instant.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.faults.disk import cut_power, image_on, make_image, scratch
from tests.faults.kills import recover
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.oracle import Oracle
from tests.faults.report import Options, Report, main
from tests.faults.target import Server

SIZE_MIB = 448
ERA = 6  # cuts on one pair of volumes, so that images and copies stay small


def check(options: Options) -> Report:
    """Run the check and return its report."""
    report = Report("A3", options.seed)
    random = options.random()
    acknowledged, slowest = 0, 0.0
    era = 0
    while report.injected < options.count:
        cuts = min(ERA, options.count - report.injected)
        two = options.target == "moorage" and report.injected * 2 >= options.count
        with scratch("moorage-cuts-") as work:
            series = Series(work, replace(options, seed=options.seed + era), two)
            slowest = max(slowest, series.run(cuts, random, report))
            acknowledged += series.ledger.acks
        era += 1
    report.extra = {"ready_max_s": round(slowest, 2), "acknowledged": acknowledged}
    return report


class Series:
    """Some cuts of one live server on one set of volumes."""

    def __init__(self, work: Path, options: Options, two_volumes: bool) -> None:
        self.work = work
        self.options = options
        self.names = ("blobs", "catalogue") if two_volumes else ("blobs",)
        self.ledger = Ledger()

    def server(self, root: Path) -> Server:
        """Return a server whose volumes are mounted under `root`."""
        settings = {}
        if "catalogue" in self.names:
            settings["MOORAGE_DATABASE__URL"] = f"sqlite:///{root / 'catalogue' / 'moorage.db'}"
        return Server(root / "blobs" / "data", self.options, settings, log=self.work / f"{root.name}.log")

    def run(self, cuts: int, random: Random, report: Report) -> float:
        """Start, load, cut and judge `cuts` times; returns the slowest start on a copy."""
        slowest = 0.0
        with ExitStack() as stack:
            for name in self.names:
                make_image(self.work / f"{name}.img", SIZE_MIB)
                stack.enter_context(image_on(self.work / f"{name}.img", self.work / "live" / name))
            server = stack.enter_context(self.server(self.work / "live"))
            server.start()
            load = Load(server, self.ledger, self.options.seed, pushers=6, pullers=3)
            for number in range(cuts):
                load.resume()
                self._wait(random, at_ack=number % 2 == 0)
                images = [(self.work / f"{name}.img", self.work / f"{name}.cut") for name in self.names]
                before, after = cut_power(server, images)
                load.pause()
                took, problems = self._judge(self.ledger.as_of(before, after), random)
                slowest = max(slowest, took)
                with server.wire() as wire:  # the live server is quiet now: close its histories too
                    problems += Oracle(self.ledger, wire, server.features).check()
                report.fault(problems)
            load.finish()
        return slowest

    def _wait(self, random: Random, *, at_ack: bool) -> None:
        """Wait for a random moment, or for the acknowledgement of a random write and not an instant more."""
        if not at_ack:
            time.sleep(random.uniform(0.2, 2.0))
            return
        wanted = self.ledger.acks + random.randint(5, 150)
        with self.ledger.acked:
            self.ledger.acked.wait_for(lambda: self.ledger.acks >= wanted, timeout=3)

    def _judge(self, ledger: Ledger, random: Random) -> tuple[float, list[str]]:
        """Start a second server on the copies and ask it for everything."""
        root = self.work / "copy"
        with ExitStack() as stack:
            for name in self.names:
                stack.enter_context(image_on(self.work / f"{name}.cut", root / name))
            server = stack.enter_context(self.server(root))
            try:
                took, problems = recover(server, ledger, random, whole=True)
            except RuntimeError as error:
                return 0.0, [f"I9: {error}"]
            server.stop()
            database = Path(server.settings.get("MOORAGE_DATABASE__URL", "").removeprefix("sqlite:///"))
            if self.options.target == "moorage":
                problems += integrity(database if database.name else server.data / "moorage.db")
        return took, problems


def integrity(database: Path) -> list[str]:
    """Ask SQLite whether its file is sound."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        found += [f"foreign key: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
    return [f"integrity_check of {database.name}: {text}" for text in found if text != "ok"]


if __name__ == "__main__":
    sys.exit(main(check, count=50, about=__doc__))
