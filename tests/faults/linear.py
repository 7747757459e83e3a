"""Is a history of one register linearizable? A search after Wing and Gong, with Lowe's memory of states already seen.

A register holds a string or None (absent). It knows nothing of HTTP or registries: the ledger makes a history of every
tag, manifest and blob. An operation nobody acknowledged may have happened at any point of its interval, or never.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import inf

MOST_STATES = 400_000


class Act(Enum):
    """What an operation does to the register."""

    WRITE = "write"  # state := value
    READ = "read"  # state must be value
    DROP = "drop"  # if the state is value, it becomes None (a manifest's deletion, seen from a tag)
    REMOVE = "remove"  # the state must not be None, and becomes None (a deletion that found something)


@dataclass(slots=True)
class Op:
    """One operation on one register, from the moment its request was sent to the moment its answer was read."""

    act: Act
    value: str | None
    start: float
    end: float = inf
    acked: bool = False
    note: str = ""
    redo: object = field(default=None, repr=False)

    def apply(self, state: str | None) -> tuple[bool, str | None]:
        """Return whether the operation may happen in `state`, and the state after it."""
        if self.act is Act.WRITE:
            return True, self.value
        if self.act is Act.READ:
            return state == self.value, state
        if self.act is Act.REMOVE:
            return state is not None, None
        return True, None if state == self.value else state

    def __str__(self) -> str:
        end = "?" if self.end == inf else f"{self.end:.4f}"
        sign = "" if self.acked else " (unacknowledged)"
        return f"[{self.start:.4f}..{end}] {self.act.value} {self.value}{sign} {self.note}".rstrip()


def explain(history: Sequence[Op], initial: str | None) -> bool:
    """Return whether some order of `history`, true to real time, explains every acknowledged answer."""
    ops = sorted(history, key=lambda op: op.start)
    needed = sum(1 << index for index, op in enumerate(ops) if op.acked)
    seen: set[tuple[int, str | None]] = set()
    stack: list[tuple[int, float, str | None]] = [(0, -inf, initial)]
    while stack:
        done, floor, state = stack.pop()
        if done & needed == needed:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        if len(seen) > MOST_STATES:
            raise OverflowError(f"more than {MOST_STATES} states in a history of {len(ops)} operations")
        for index in _next(ops, done, floor):
            possible, after = ops[index].apply(state)
            if possible:
                stack.append((done | 1 << index, max(floor, ops[index].start), after))
    return False


def _next(ops: Sequence[Op], done: int, floor: float) -> Iterator[int]:
    """Yield what may come next: operations that began before any unfinished acknowledged one had ended."""
    deadline = min((op.end for index, op in enumerate(ops) if op.acked and not done >> index & 1), default=inf)
    for index, op in enumerate(ops):
        if op.start > deadline:
            return
        # An unacknowledged operation ends at the latest with the process that held it: it cannot come after
        # something that began only then.
        if not done >> index & 1 and op.end >= floor:
            yield index
