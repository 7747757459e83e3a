"""Ways to break `moorage db migrate` on purpose; reached through sabotaged/sitecustomize.py, as those of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from registry.catalog.moving import move
from registry.catalog.moving.rows import Differences, Progress, Replace, walk
from registry.catalog.moving.shapes import Row, Shape


def leave_out_the_seal() -> None:
    """Let SQLite be written after the move (breaks M1: I1, I3)."""
    move.seal = lambda *_: None  # type: ignore[attr-defined]  # that is what a sabotage is


def copy_once() -> None:
    """Take a table that has rows as copied (breaks M1: PostgreSQL misses what rows refer to, or I1, I3)."""

    def walk_once(
        shape: Shape, batches: Iterable[list[Row]], there: Iterator[Row], replace: Replace, progress: Progress
    ) -> Differences:
        if next(there, None) is None:
            return walk(shape, batches, iter(()), replace, progress)
        return Differences()

    move.walk = walk_once  # type: ignore[attr-defined]  # as above


MOVES: dict[str, Callable[[], None]] = {act.__name__.replace("_", "-"): act for act in (leave_out_the_seal, copy_once)}
