"""Removes what unfinished uploads left behind, soon after the start and then on a schedule.

Every worker does it, a little apart from the others; a sweep is harmless however many run.
"""

import asyncio
import random
from datetime import timedelta

import structlog

from registry.catalog.errors import CatalogError
from registry.content.uploads import Uploads
from registry.edge.bridge import Lane
from storage.errors import StorageError

FIRST = 5.0
JITTER = 0.1

_log = structlog.get_logger("moorage.jobs")


class Sweeper:
    """A task beside the app that sweeps until it is stopped."""

    def __init__(self, uploads: Uploads, lane: Lane, interval: timedelta) -> None:
        self._uploads = uploads
        self._lane = lane
        self._interval = interval.total_seconds()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End; a sweep under way is waited for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await asyncio.sleep(min(FIRST, self._interval))
        while True:
            await self._sweep()
            await asyncio.sleep(self._interval * random.uniform(1, 1 + JITTER))  # noqa: S311  # spreads workers

    async def _sweep(self) -> None:
        try:
            removed = await self._lane.call(self._uploads.sweep)
        except (StorageError, CatalogError) as error:
            _log.warning("sweep failed; it will be tried again", reason=str(error))
            return
        if removed:
            _log.info("sweep removed unfinished uploads and replaced keys", removed=removed)
