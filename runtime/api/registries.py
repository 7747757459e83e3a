"""Images and the registries that hold them: pull, push, search and what an image is there (Engine API, "Image")."""

from dataclasses import replace

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.api.image_archives import import_archive
from runtime.api.streams import Feed, progress
from runtime.errors import BadParameter
from runtime.images import search
from runtime.images.choice import Platform
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


async def push_image(call: Call) -> ASGIApp:
    """POST /images/NAME/push?tag=: one tag, or all of the name's where none is said."""
    images = call.engine.images
    reference, tag = images.parse(call.parts["name"]), call.query.get("tag") or ""
    if tag:
        reference = images.parse(f"{replace(reference, tag=None)}:{tag}")
    credentials = call.credentials()

    def work(feed: Feed) -> None:
        call.engine.pusher.push(reference, credentials=credentials, feed=feed)

    return progress(call, work)


async def search_images(call: Call) -> ASGIApp:
    """GET /images/search?term=&limit=&filters=."""
    term, limit, filters = call.query.get("term") or "", call.number("limit"), call.filters()
    registries, given = call.engine.registries, call.credentials()
    found = await call.run(search.search, registries, term, limit=limit, filters=filters, given=given)
    return JSONResponse(
        [
            {
                "name": each.name,
                "description": each.description,
                "star_count": each.stars,
                "is_official": each.official,
                "is_automated": each.automated,
            }
            for each in found
        ]
    )


async def inspect_distributed(call: Call) -> ASGIApp:
    """GET /distribution/NAME/json: digest and platforms, from the registry."""
    images = call.engine.images
    reference = images.parse(call.parts["name"])
    shown = images.familiar(reference)
    found = await call.run(search.inspect, call.engine.registries, reference, shown, call.credentials())
    descriptor = found.descriptor
    return JSONResponse(
        {
            "Descriptor": {
                "mediaType": descriptor.media_type,
                "digest": str(descriptor.digest),
                "size": descriptor.size,
            },
            "Platforms": [_platform(platform) for platform in found.platforms],
        }
    )


def _platform(platform: Platform) -> dict[str, str]:
    shown = {"architecture": platform.architecture, "os": platform.os}
    return shown | ({"variant": platform.variant} if platform.variant else {})


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
