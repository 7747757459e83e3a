"""The lines of a pull or a push, as a test wants to look at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Told:
    """What was said."""

    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []

    def __call__(self, line: Mapping[str, Any]) -> None:
        self.lines.append(line)

    def of(self, name: str) -> list[str]:
        """What was said of one layer, repetitions left out."""
        found = [line["status"] for line in self.lines if line.get("id") == name]
        return list(dict.fromkeys(found))

    @property
    def plain(self) -> list[str]:
        """The lines without an id."""
        return [line["status"] for line in self.lines if "id" not in line and "status" in line]
