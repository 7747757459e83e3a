"""Containers that are made, looked at and changed (Engine API, "Containers"); what changes their state is `states`'.

A handler reads the request, calls one service and answers.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.containers import inspect as inspecting
from runtime.containers import listing
from runtime.containers.model import Container
from runtime.containers.specification import limits
from runtime.engine import Engine
from runtime.errors import BadParameter, EngineError, NotFound
from storage.digest import Digest

NAME_LIMIT = 255
_PRUNED_BY = frozenset({"label", "label!", "until"})


async def create(call: Call) -> ASGIApp:
    """POST /containers/create."""
    body = await call.json()
    name = call.query.get("name") or None
    if name is not None and len(name) > NAME_LIMIT:
        raise BadParameter(f"Invalid container name, at most {NAME_LIMIT} characters are allowed")
    platform = call.query.get("platform")
    container = await call.run(call.engine.containers.create, body, name, platform=platform)
    warnings = limits.warnings(container.host_config, call.engine.containers.services.abilities)
    return JSONResponse({"Id": container.id, "Warnings": warnings}, 201)


async def inspect(call: Call) -> ASGIApp:
    """GET /containers/(id)/json."""
    container = await found(call)
    return JSONResponse(await call.run(_inspected, call.engine, container, call.flag("size")))


async def list_containers(call: Call) -> ASGIApp:
    """GET /containers/json."""
    return JSONResponse(await call.run(_listed, call))


async def rename(call: Call) -> ASGIApp:
    """POST /containers/(id)/rename."""
    container = await found(call)
    await call.run(call.engine.containers.rename, container, call.query.get("name", ""))
    return Response(status_code=204)


async def update(call: Call) -> ASGIApp:
    """POST /containers/(id)/update."""
    body = await call.json()
    container = await found(call)
    return JSONResponse({"Warnings": await call.run(call.engine.containers.update, container, body)})


async def remove(call: Call) -> ASGIApp:
    """DELETE /containers/(id)."""
    container = await found(call)
    force, volumes = call.flag("force"), call.flag("v")
    if call.flag("link"):
        raise BadParameter("links between containers are not there: use a network of your own")
    await call.run(call.engine.containers.remove, container, force=force, volumes=volumes)
    return Response(status_code=204)


async def prune(call: Call) -> ASGIApp:
    """POST /containers/prune."""
    return JSONResponse(await call.run(_pruned, call.engine, call.filters()))


async def found(call: Call) -> Container:
    """The container that the path names. Raises NotFound."""
    return await call.run(call.engine.containers.get, call.parts["id"])


def _inspected(engine: Engine, container: Container, size: bool) -> dict[str, Any]:
    containers = engine.containers
    made = inspecting.document(
        container,
        network=containers.services.cables.settings(container),
        health=containers.health(container),
        execs=containers.execs.of(container.id),
        volumes=str(engine.settings.data / "volumes"),
    )
    if size:
        made |= inspecting.sizes(container, _image_size(engine, container))
    return made


def _listed(call: Call) -> list[dict[str, Any]]:
    engine, filters, limit = call.engine, call.filters(), call.number("limit") or 0
    every = call.flag("all") or limit > 0 or bool(set(filters) & {"status", "exited", "before", "since"})
    shown = [each for each in _filtered(engine, filters) if every or each.state.alive]
    shown = shown[:limit] if limit > 0 else shown
    return [line(engine, container, call.flag("size")) for container in shown]


def line(engine: Engine, container: Container, size: bool) -> dict[str, Any]:
    """A container as lists show it; with `size`, which is counted file by file."""
    made = listing.summary(
        container,
        image=_image_name(engine, container),
        network=engine.containers.services.cables.settings(container),
        health=engine.containers.health(container),
        volumes=str(engine.settings.data / "volumes"),
    )
    if size:
        made |= inspecting.sizes(container, _image_size(engine, container))
    return made


def _filtered(engine: Engine, filters: listing.Filters) -> list[Container]:
    def made_of(container: Container, values: Sequence[str]) -> bool:
        for value in values:
            with suppress(EngineError):
                if str(engine.images.resolve(value).id) == container.image_id:
                    return True
        return False

    def in_network(container: Container, values: Sequence[str]) -> bool:
        networks = engine.containers.services.cables.settings(container).get("Networks") or {}
        ids = {str((endpoint or {}).get("NetworkID", "")) for endpoint in networks.values()}
        return any(value in networks or any(each.startswith(value) for each in ids if each) for value in values)

    def healthy(container: Container, values: Sequence[str]) -> bool:
        health = engine.containers.health(container)
        return (health.status if health else "none") in values

    extra = {"ancestor": made_of, "network": in_network, "health": healthy}
    return listing.chosen(engine.containers.all(), filters, find=engine.containers.get, extra=extra)


def _image_name(engine: Engine, container: Container) -> str:
    """The name that it was made by, while that still means its image; else the image's id."""
    with suppress(EngineError):
        if str(engine.images.resolve(container.image).id) == container.image_id:
            return container.image
    return container.image_id


def _image_size(engine: Engine, container: Container) -> int:
    try:
        return engine.images.get(Digest.parse(container.image_id)).size
    except NotFound:
        return 0


def _pruned(engine: Engine, filters: dict[str, list[str]]) -> dict[str, Any]:
    if unknown := set(filters) - _PRUNED_BY:
        raise BadParameter(f"invalid filter '{sorted(unknown)[0]}'")
    removed, space = [], 0
    for container in _filtered(engine, filters):
        if container.state.status in {"created", "exited", "dead"}:
            size = inspecting.sizes(container, 0)["SizeRw"]
            with suppress(EngineError):  # it was started, or removed, meanwhile
                engine.containers.remove(container)
                removed.append(container.id)
                space += size
    return {"ContainersDeleted": removed or None, "SpaceReclaimed": space}
