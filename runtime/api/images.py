"""Images: what is here, what it is, and its removal (Engine API, "Image"). What moves images is in files of its own."""

from dataclasses import replace
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from runtime import moments
from runtime.api.call import Call
from runtime.images.history import history
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.listing import listed

SECOND = 10**9


async def list_images(call: Call) -> ASGIApp:
    """GET /images/json: every image, the newest first. `all` changes nothing: there are no intermediate images."""
    images = call.engine.images
    found = await call.run(listed, images, call.filters())
    return JSONResponse([summary(images, image) for image in found])


async def inspect(call: Call) -> ASGIApp:
    """GET /images/NAME/json."""
    images = call.engine.images
    image = await call.run(images.resolve, call.parts["name"])
    return JSONResponse(_document(images, image))


async def list_history(call: Call) -> ASGIApp:
    """GET /images/NAME/history: the steps that made it, the last one first."""
    images = call.engine.images
    image = await call.run(images.resolve, call.parts["name"])
    steps = await call.run(history, images, image)
    return JSONResponse(
        [
            {
                "Id": step.id,
                "Created": step.created // SECOND,
                "CreatedBy": step.created_by,
                "Tags": list(step.tags) or None,
                "Size": step.size,
                "Comment": step.comment,
            }
            for step in steps
        ]
    )


async def tag(call: Call) -> ASGIApp:
    """POST /images/NAME/tag?repo=&tag=: one more name."""
    images = call.engine.images
    image = await call.run(images.resolve, call.parts["name"])
    reference = images.parse(call.query.get("repo", ""))
    if given := call.query.get("tag"):
        reference = images.parse(f"{replace(reference, tag=None)}:{given}")
    await call.run(images.tag, image.id, reference)
    return Response(status_code=201)


async def remove(call: Call) -> ASGIApp:
    """DELETE /images/NAME?force=. `noprune` changes nothing: there are no untagged parents."""
    steps = await call.run(call.engine.removal.remove, call.parts["name"], force=call.flag("force"))
    return JSONResponse([step.document() for step in steps])


async def prune(call: Call) -> ASGIApp:
    """POST /images/prune?filters=: images without a tag, or with dangling=false all that no container uses."""
    steps, reclaimed = await call.run(call.engine.removal.prune, call.filters())
    return JSONResponse({"ImagesDeleted": [step.document() for step in steps] or None, "SpaceReclaimed": reclaimed})


def summary(images: Images, image: Image) -> dict[str, Any]:
    """An image as lists show it."""
    return {
        "Id": str(image.id),
        "ParentId": "",
        "RepoTags": [images.familiar(tag) for tag in image.tags],
        "RepoDigests": [images.familiar(digest) for digest in image.digests],
        "Created": image.created // SECOND,
        "Size": image.size,
        "VirtualSize": image.size,  # read by clients before 1.44
        "SharedSize": -1,
        "Labels": dict(image.labels),
        "Containers": -1,
    }


def _document(images: Images, image: Image) -> dict[str, Any]:
    config = image.config
    return {
        "Id": str(image.id),
        "RepoTags": [images.familiar(tag) for tag in image.tags],
        "RepoDigests": [images.familiar(digest) for digest in image.digests],
        "Parent": "",
        "Comment": config.get("comment", ""),
        "Created": moments.rfc3339(image.created),
        "DockerVersion": config.get("docker_version", ""),
        "Author": config.get("author", ""),
        "Config": dict(image.runtime),
        "Architecture": config.get("architecture", ""),
        "Variant": config.get("variant", ""),
        "Os": config.get("os", ""),
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": _directories(images, image)},
        "RootFS": {"Type": "layers", "Layers": [str(diff_id) for diff_id in image.diff_ids]},
        "Metadata": {"LastTagTime": moments.rfc3339(image.tagged)},
    }


def _directories(images: Images, image: Image) -> dict[str, str]:
    """Name the layers' directories, as Docker's overlay2 driver does; none where a layer is gone."""
    if not all(images.layers.has(diff_id) for diff_id in image.diff_ids):
        return {}
    paths = [str(images.layers.path(diff_id)) for diff_id in reversed(image.diff_ids)]
    return {
        name: value for name, value in (("UpperDir", ":".join(paths[:1])), ("LowerDir", ":".join(paths[1:]))) if value
    }
