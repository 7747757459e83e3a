"""Images from registries: pull (Engine API, "Create an image"), and what a registry says of one without pulling it."""

from dataclasses import replace

from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.api.image_archives import import_archive
from runtime.api.streams import Feed, progress
from runtime.errors import BadParameter
from runtime.images.reference import ImageReference


async def create_image(call: Call) -> ASGIApp:
    """POST /images/create: pull `fromImage`, or import `fromSrc`."""
    if call.query.get("fromSrc"):
        return await import_archive(call)
    reference = _wanted(call)
    platform, credentials = call.query.get("platform") or "", call.credentials()

    def work(feed: Feed) -> None:
        puller = call.engine.puller
        if reference.tag is None and reference.digest is None:
            puller.pull_all(reference, platform=platform, credentials=credentials, feed=feed)
        else:
            puller.pull(reference, platform=platform, credentials=credentials, feed=feed)

    return progress(call, work)


def _wanted(call: Call) -> ImageReference:
    """Read the image's name, and the tag or digest beside it; neither means every tag. Raises BadParameter."""
    name, tag = call.query.get("fromImage") or "", call.query.get("tag") or ""
    if not name:
        raise BadParameter("invalid reference format")
    images = call.engine.images
    if not tag:
        return images.parse(name)
    bare = replace(images.parse(name), tag=None, digest=None)
    return images.parse(f"{bare}@{tag}" if ":" in tag else f"{bare}:{tag}")
