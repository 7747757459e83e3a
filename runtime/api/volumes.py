"""Volumes (Engine API, "Volume")."""

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from runtime import moments
from runtime.api.call import Call
from runtime.volumes.filters import Filters
from runtime.volumes.volume import DRIVER, Volume

_ANONYMOUS_ONLY = (1, 42)
"""From this version on, a prune without `all` removes volumes without a name only."""


async def list_volumes(call: Call) -> ASGIApp:
    """GET /volumes?filters=."""
    found = await call.run(call.engine.volumes.list, call.filters())
    return JSONResponse({"Volumes": [document(each) for each in found], "Warnings": None})


async def inspect(call: Call) -> ASGIApp:
    """GET /volumes/NAME."""
    return JSONResponse(document(await call.run(call.engine.volumes.get, call.parts["id"])))


async def create(call: Call) -> ASGIApp:
    """POST /volumes/create: one of that name is returned as it is."""
    return JSONResponse(document(await call.run(call.engine.volumes.create, await call.json())), 201)


async def remove(call: Call) -> ASGIApp:
    """DELETE /volumes/NAME?force=: refused while a container has it."""
    await call.run(call.engine.volumes.remove, call.parts["id"], force=call.flag("force"))
    return Response(status_code=204)


async def prune(call: Call) -> ASGIApp:
    """POST /volumes/prune?filters=."""
    filters = call.filters()
    every = Filters.of(filters).every or call.version < _ANONYMOUS_ONLY
    removed, size = await call.run(call.engine.volumes.prune, filters, every=every)
    return JSONResponse({"VolumesDeleted": list(removed) or None, "SpaceReclaimed": size})


def document(volume: Volume) -> dict[str, Any]:
    """A volume as Docker shows it."""
    return {
        "CreatedAt": moments.rfc3339(volume.created)[:19] + "Z",
        "Driver": DRIVER,
        "Labels": dict(volume.labels) or None,
        "Mountpoint": str(volume.data),
        "Name": volume.name,
        "Options": dict(volume.options) or None,
        "Scope": "local",
    }
