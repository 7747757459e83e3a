"""GET /system/df: what images, containers and volumes take of the disk (Engine API, "Get data usage information")."""

from collections import Counter
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.api.containers import line
from runtime.api.images import summary
from runtime.api.volumes import document
from runtime.engine import Engine
from runtime.errors import BadParameter

KINDS = frozenset({"container", "image", "volume", "build-cache"})


async def usage(call: Call) -> ASGIApp:
    """GET /system/df?type=: of every kind, or of those named."""
    kinds = set(call.query.getlist("type")) or KINDS
    if unknown := kinds - KINDS:
        raise BadParameter(f"unknown object type: {sorted(unknown)[0]}")
    return JSONResponse(await call.run(_usage, call.engine, kinds))


def _usage(engine: Engine, kinds: set[str] | frozenset[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"LayersSize": 0, "Images": None, "Containers": None, "Volumes": None, "BuildCache": None}
    if "image" in kinds:
        shown |= _images(engine)
    if "container" in kinds:
        shown["Containers"] = [line(engine, container, True) for container in engine.containers.all()]
    if "volume" in kinds:
        volumes = engine.volumes
        shown["Volumes"] = [
            document(each) | {"UsageData": {"Size": volumes.size(each), "RefCount": len(volumes.held(each.name))}}
            for each in volumes.list()
        ]
    if "build-cache" in kinds:
        shown["BuildCache"] = []
    return shown


def _images(engine: Engine) -> dict[str, Any]:
    """Images with what they share: the size of layers that another image has too."""
    images = engine.images.all()
    users = Counter(diff_id for image in images for diff_id in set(image.diff_ids))
    sizes = {layer.diff_id: layer.size for layer in engine.images.layers.all()}
    made = Counter(container.image_id for container in engine.containers.all())
    return {
        "LayersSize": sum(sizes.values()),
        "Images": [
            summary(engine.images, image)
            | {
                "SharedSize": sum(sizes.get(each, 0) for each in set(image.diff_ids) if users[each] > 1),
                "Containers": made[str(image.id)],
            }
            for image in images
        ],
    }
