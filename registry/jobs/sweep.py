"""Removes what uploads left behind: keys that were replaced within seconds, unfinished sessions on a schedule.

Every worker does it, a little apart from the others; a sweep is harmless however many run.
"""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from registry.catalog.errors import CatalogError
from registry.content.uploads import Uploads
from registry.edge.bridge import Lane
from storage.errors import StorageError

KEYS_INTERVAL = 5.0
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
        sessions_due = 0.0
        while True:
            await asyncio.sleep(KEYS_INTERVAL * random.uniform(1, 1 + JITTER))  # noqa: S311  # spreads workers
            await self._sweep(self._uploads.sweep_keys, "replaced keys")
            if time.monotonic() >= sessions_due:
                sessions_due = time.monotonic() + self._interval
                await self._sweep(self._uploads.sweep_sessions, "unfinished uploads")

    async def _sweep(self, sweep: Callable[[], int], what: str) -> None:
        try:
            removed = await self._lane.call(sweep)
        except (StorageError, CatalogError) as error:
            _log.warning("a sweep failed; it will be tried again", of=what, reason=str(error))
            return
        if removed:
            _log.info("swept", of=what, removed=removed)
