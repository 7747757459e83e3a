"""How much of each room the unit tests have to run: `python -m tests.house.coverage_floors`, after `make unit`.

The floors are in pyproject.toml, [tool.moorage.coverage]: a path, and the least percentage of its lines and branches.
A file counts for the longest path that holds it; one that no path holds is a mistake. Where a room is below its floor
its gaps are listed; one that has risen by a whole percent is told of, so that the floor can follow.
"""

import json
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / ".coverage.json"
FILES_SHOWN = 12


@dataclass(slots=True)
class Room:
    """What is known of one path: lines and branches together, as coverage counts them."""

    name: str
    floor: float
    ran: int = 0
    could: int = 0
    gaps: list[str] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """How much of it ran."""
        return 100 * self.ran / self.could if self.could else 100.0

    def add(self, file: str, report: Mapping[str, Any]) -> None:
        """Count one file of coverage's JSON report."""
        summary = report["summary"]
        self.ran += summary["covered_lines"] + summary["covered_branches"]
        self.could += summary["num_statements"] + summary["num_branches"]
        gaps = [str(line) for line in report["missing_lines"]]
        gaps += [f"{start}->{'exit' if end < 0 else end}" for start, end in report["missing_branches"]]
        if gaps:
            self.gaps.append(f"{file}: {' '.join(gaps)}")

    def line(self) -> str:
        """Say how the room stands."""
        below = self.percent < self.floor
        note = f"  below its floor of {self.floor:g} %" if below else ""
        if self.percent >= self.floor + 1:
            note = f"  its floor is {self.floor:g} %: raise it"
        return f"{self.name:18} {self.percent:6.2f} %  {self.could - self.ran:4} of {self.could} not run{note}"


def rooms(files: Mapping[str, Mapping[str, Any]], floors: Mapping[str, float]) -> list[Room]:
    """Add the files up. Raises: KeyError, with its name, for a file that no path holds."""
    found = {name: Room(name, floor) for name, floor in floors.items()}
    for file, report in files.items():
        holding = [name for name in floors if file == name or file.startswith(f"{name}/")]
        if not holding:
            raise KeyError(f"{file} has no floor in pyproject.toml, [tool.moorage.coverage]")
        found[max(holding, key=len)].add(file, report)
    return list(found.values())


def main() -> int:
    """Print a line a room, and the gaps of those below; 1 if there is one."""
    floors = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["moorage"]["coverage"]
    found = rooms(json.loads(REPORT.read_text(encoding="utf-8"))["files"], floors)
    for room in found:
        print(room.line())
        if room.percent < room.floor:
            print("".join(f"    {gap[:300]}\n" for gap in room.gaps[:FILES_SHOWN]), end="")
    return int(any(room.percent < room.floor for room in found))


if __name__ == "__main__":
    sys.exit(main())
