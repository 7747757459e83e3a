"""The move itself: copy while the catalog is served, then hold it still, compare all of it once more, seal and open.

The order at the end is what nothing can be lost by: the target is whole and still closed when the seal commits, and is
opened after that. Between the two nobody can write anywhere, and running again finishes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from registry.catalog.engine import Database
from registry.catalog.locks import session_locked
from registry.catalog.moving.copying import replace, streamed
from registry.catalog.moving.errors import MoveError
from registry.catalog.moving.rows import Differences, Replace, walk
from registry.catalog.moving.seal import Memory, memory, remember, seal, sealed, unseal
from registry.catalog.moving.shapes import SHAPES, Row, Shape
from registry.catalog.moving.source import Source
from registry.catalog.moving.target import State, Target
from registry.catalog.sole import LOCK

ROUNDS = 6
FEW = 1000
"""So many rows that changed during a round are left for the last one, when writers wait."""
WALKS = 4
"""When nothing moves: the first walk removes all that is wrong, the second adds what that was in the way of, the third
finds nothing."""
LOCK_WAIT = 5.0


Progress = Callable[[str, str, int, int], None]
"""Takes what is going on, a table's name, how many of its rows have been looked at, and of how many at first."""


@dataclass(slots=True)
class Moved:
    """How a move went. `waited`: the seconds that writers had to wait; `rows`: of each table, compared and alike."""

    target: str
    already: bool = False
    rounds: int = 0
    copied: int = 0
    waited: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)


class Move:
    """A move of one SQLite catalog to one PostgreSQL database. `progress` is told of every batch."""

    def __init__(self, source: Database, target: Database, progress: Progress) -> None:
        self._source = Source(source)
        self._target = Target(target)
        self._progress = progress
        self._going_on = "comparing"
        self._counts: dict[str, int] = {}
        self._lock = partial(session_locked, target.engine, LOCK, _soon)

    def look(self) -> Moved:
        """See whether it could be done, changing nothing; gives the rows that there are to copy. Raises as `run`."""
        self._source.check()
        self._target.check()
        remembered, is_sealed = self._remembered()
        state = self._target.state(remembered.source if remembered else "")
        self._refuse_another(state, remembered, is_sealed)
        self._counts = self._source.counts()
        return Moved(self._target.name, already=state == "moved", rows=self._counts)

    def run(self) -> Moved:
        """Move, or go on with a move that was interrupted.

        Raises: MoveError, SchemaError, CatalogUnavailable: nothing was lost, and what was copied stays copied.
        """
        moved = self.look()
        if moved.already:
            return moved
        with self._lock():
            with self._source.writing() as connection:
                source = remember(connection).source
            self._target.claim(source)
            self._serving(moved)
            self._target.analyze()
            self._last(moved)
            self._target.open()
        return moved

    def _serving(self, moved: Moved) -> None:
        """Copy while others write, until few rows change during a round."""
        for number in range(1, ROUNDS + 1):
            self._going_on = f"round {number}"
            found = [self._walk(shape) for shape in SHAPES]
            moved.rounds = number
            changed = sum(differences.total for differences in found)
            moved.copied += changed
            if changed <= FEW:
                return

    def _last(self, moved: Moved) -> None:
        """Hold the source still, make both sides the same, and seal."""
        with self._source.still() as connection:
            begun = time.monotonic()
            self._going_on = "last round"
            for shape in SHAPES:
                moved.rows[shape.name] = self._settled(shape, moved)
            self._target.finish(self._source.numbers())
            if not sealed(connection):
                seal(connection, self._target.name)
        moved.waited = time.monotonic() - begun

    def _settled(self, shape: Shape, moved: Moved) -> int:
        """Walk a table that stands still until a walk finds nothing; gives its number of rows."""
        for _ in range(WALKS):
            found = self._walk(shape)
            if not found.total:
                return found.rows
            moved.copied += found.total
        raise MoveError(
            f"{shape.told(found.first or ())} comes back from PostgreSQL as something else than SQLite has."
            " Nothing was sealed; the server goes on with SQLite"
        )

    def reopen(self) -> None:
        """Undo a move after which nothing was written to PostgreSQL: close that again, then let writes in here.

        Raises: MoveError if there is a difference, or a server is on the target; SchemaError, CatalogUnavailable.
        """
        self._counts = self._source.counts()
        remembered, is_sealed = self._remembered()
        if remembered is None or not is_sealed:
            raise MoveError("the SQLite catalog is not sealed; there is nothing to undo")
        with self._lock():
            if self._target.state(remembered.source) == "moved":
                self._refuse_different()
                self._target.close_again()
            with self._source.writing() as connection:
                unseal(connection)

    def _refuse_different(self) -> None:
        for shape in SHAPES:
            found = self._compare(shape, _nothing)
            if found.total:
                raise MoveError(
                    f"PostgreSQL has been written to since the move: {found.total} rows of table {shape.name} are not"
                    " as they were. They would be lost; nothing was changed"
                )

    def _walk(self, shape: Shape) -> Differences:
        return self._compare(shape, partial(replace, self._target))

    def _compare(self, shape: Shape, change: Replace) -> Differences:
        def progress(looked_at: int) -> None:
            self._progress(self._going_on, shape.name, looked_at, self._counts.get(shape.name, 0))

        with streamed(self._target, shape) as there:
            return walk(shape, self._source.batches(shape), there, change, progress)

    def _remembered(self) -> tuple[Memory | None, bool]:
        with self._source.reading() as connection:
            return memory(connection), sealed(connection)

    def _refuse_another(self, state: State, remembered: Memory | None, is_sealed: bool) -> None:
        if is_sealed and state == "empty":
            raise MoveError(
                f"the SQLite catalog has moved already, to {remembered.target if remembered else 'somewhere'}, and is"
                " sealed. To move it elsewhere instead, `moorage db migrate --reopen` first, while nothing has been"
                " written there"
            )
        if state == "moved" and not is_sealed:
            raise MoveError(
                "the target has this catalog as it was before it was reopened here: drop that database, make an empty"
                " one, and run this again"
            )


def reopen(source: Database) -> bool:
    """Let a sealed SQLite catalog be written again; tells whether it was sealed. Raises CatalogUnavailable."""
    with Source(source).writing() as connection:
        return unseal(connection)


def _nothing(_shape: Shape, _gone: list[Row], _new: list[Row]) -> None:
    """Change nothing."""


def _soon(locked: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    while not locked():
        if time.monotonic() > deadline:
            raise MoveError("a server, or another `moorage db migrate`, is on the target; stop it first")
        time.sleep(0.1)
