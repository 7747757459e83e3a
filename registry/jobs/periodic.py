"""Work that is done again and again beside the app: written-behind counters, keys that grow old, rows that expire.

Every worker does all of it, a little apart from the others; each piece is harmless however many do it. What fails is
logged and tried again at its next time. At the end everything that is marked `at_end` is done once more.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from registry.catalog.errors import CatalogError
from registry.edge.bridge import Lane
from storage.errors import StorageError

JITTER = 0.1

_log = structlog.get_logger("moorage.jobs")


@dataclass(frozen=True, slots=True)
class Chore:
    """One piece of work: what it is called in the log, what does it, and the seconds between two times."""

    name: str
    work: Callable[[], object]
    interval: float
    at_end: bool = False


class Periodic:
    """Tasks beside the app, one for each chore."""

    def __init__(self, lane: Lane, chores: tuple[Chore, ...]) -> None:
        self._lane = lane
        self._chores = chores
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._repeat(chore)) for chore in self._chores]

    async def stop(self) -> None:
        """End; work under way is waited for, and what must not be lost is done once more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for chore in self._chores:
            if chore.at_end:
                await self._do(chore)

    async def _repeat(self, chore: Chore) -> None:
        while True:
            await asyncio.sleep(chore.interval * random.SystemRandom().uniform(1, 1 + JITTER))  # spreads workers
            await self._do(chore)

    async def _do(self, chore: Chore) -> None:
        try:
            await self._lane.call(chore.work)
        except (CatalogError, StorageError) as error:
            _log.warning("a chore failed; it will be tried again", chore=chore.name, reason=str(error))
