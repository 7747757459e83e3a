"""The command line and the one line of JSON that every fault check shares.

It counts; it knows neither servers nor faults. The score is survived / injected, and a check passes only when every
injected fault was survived without one violation (docs/reliability.md).
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SHOWN = 6
WIDTH = 700
PROGRESS = 25


@dataclass(slots=True)
class Report:
    """What one run of a check injected and what it found."""

    id: str
    seed: int
    injected: int = 0
    survived: int = 0
    violations: list[str] = field(default_factory=list)
    extra: dict[str, float | int | str] = field(default_factory=dict)

    def fault(self, problems: list[str]) -> None:
        """Count one injected fault and what was wrong after it."""
        self.injected += 1
        self.survived += not problems
        self.violations += problems
        if self.injected % PROGRESS == 0:
            print(f"{self.id}: {self.survived} of {self.injected} survived", file=sys.stderr)
        for problem in problems[:SHOWN]:
            print(f"{self.id} fault {self.injected}: {problem[:WIDTH]}", file=sys.stderr)

    @property
    def passed(self) -> bool:
        """Whether at least one fault was injected and every one was survived."""
        return self.injected > 0 and self.survived == self.injected

    def line(self) -> str:
        """Return the report as one line of JSON; `violations` is their number, `first` shows the first few."""
        shown: dict[str, object] = {
            "id": self.id,
            "injected": self.injected,
            "survived": self.survived,
            "violations": len(self.violations),
            "seed": self.seed,
        }
        return json.dumps(
            shown | self.extra | ({"first": [text[:WIDTH] for text in self.violations[:3]]} if self.violations else {})
        )


@dataclass(frozen=True, slots=True)
class Options:
    """What every check can be told on its command line."""

    count: int
    seed: int
    workers: int = 2
    engine: str = "uvicorn"
    sabotage: str = ""
    target: str = "moorage"

    def random(self) -> random.Random:
        """Return a generator that repeats with the seed."""
        return random.Random(self.seed)


def main(check: Callable[[Options], Report], *, count: int, about: str | None, workers: int = 2) -> int:
    """Parse the common options, run one check and print its line; the exit status is 0 only when it passed."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=count, help=f"how many faults (default {count})")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="repeats the random choices")
    parser.add_argument("--workers", type=int, default=workers, help=f"server processes (default {workers})")
    parser.add_argument("--server", dest="engine", default="uvicorn", choices=("uvicorn", "granian"))
    parser.add_argument("--sabotage", default="", help="break the server on purpose: the check must then fail")
    parser.add_argument("--target", default="moorage", choices=("moorage", "docker-registry"))
    found = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and mounts are cleared away
    report = check(Options(**vars(found)))
    print(report.line(), flush=True)
    return 0 if report.passed else 1
