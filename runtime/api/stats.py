"""What containers use, and their processes (Engine API, "Get container stats", "List processes")."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.api.states import must_run
from runtime.api.streams import Line, Lines
from runtime.containers import cgroups, stats, top
from runtime.containers.model import Container
from runtime.errors import Conflict

EVERY = 1.0
"""Seconds between two samples, as in Docker."""


async def usage(call: Call) -> ASGIApp:
    """GET /containers/ID/stats: every second, or once (`stream=0`), at once (`one-shot=1`) or after a second."""
    container = await call.run(call.engine.containers.get, call.parts["id"])
    if call.flag("stream", True):
        return Lines(call, _samples(call, container), at_once=True)
    before = None
    if container.state.alive and not call.flag("one-shot"):
        before = await call.run(_sample, container)
        await asyncio.sleep(EVERY)
    return JSONResponse(stats.following(await call.run(_sample, container), before))


async def _samples(call: Call, container: Container) -> AsyncIterator[Line]:
    """A sample a second; of a container that does not run, empty ones, until it is gone."""
    before: dict[str, Any] | None = None
    while not container.removed:
        now = await call.run(_sample, container)
        yield stats.following(now, before)
        before = now if container.state.alive else None
        await asyncio.sleep(EVERY)


def _sample(container: Container) -> dict[str, Any]:
    state, name = container.state, f"/{container.name}"
    if not state.alive:
        return stats.nothing(container.id, name)
    return stats.sample(container.id, name, state.pid)


async def processes(call: Call) -> ASGIApp:
    """GET /containers/ID/top."""
    container = await call.run(call.engine.containers.get, call.parts["id"])
    must_run_or_be_paused(container)
    arguments = call.query.get("ps_args") or top.USUAL
    try:
        pids = await call.run(lambda: cgroups.of(container.state.pid).pids())
    except (FileNotFoundError, ProcessLookupError):
        raise Conflict(f"container {container.id} is not running") from None
    return JSONResponse(await call.run(top.processes, pids, arguments))


def must_run_or_be_paused(container: Container) -> None:
    """Raise Conflict where there are no processes; frozen ones are there."""
    if not container.state.alive:
        must_run(container)
