"""Images: what is here, and what it is (Engine API, "Image"). Pull, push and search are in files of their own."""

from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from runtime import moments
from runtime.api.call import Call
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.listing import listed

SECOND = 10**9


async def list_images(call: Call) -> ASGIApp:
    """GET /images/json: every image, the newest first. `all` changes nothing: there are no intermediate images."""
    images = call.engine.images
    found = await call.run(listed, images, call.filters())
    return JSONResponse([_summary(images, image) for image in found])


async def inspect(call: Call) -> ASGIApp:
    """GET /images/NAME/json."""
    images = call.engine.images
    image = await call.run(images.resolve, call.parts["name"])
    return JSONResponse(_document(images, image))


def _summary(images: Images, image: Image) -> dict[str, Any]:
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
