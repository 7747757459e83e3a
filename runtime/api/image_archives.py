"""Images as archives: save, load and import (Engine API, "Image"). Nothing of an archive is kept in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.api.streams import Feed, download, progress
from runtime.api.uploads import Upload
from runtime.build import fetch
from runtime.errors import BadParameter
from runtime.images.importing import import_image
from runtime.images.loading import load
from runtime.images.saving import save

TAR = "application/x-tar"
_BLOCK = 2**20


async def save_one(call: Call) -> ASGIApp:
    """GET /images/NAME/get: the archive of one image, or of a repository's every tag."""
    return _saved(call, [call.parts["name"]])


async def save_many(call: Call) -> ASGIApp:
    """GET /images/get?names=: the archive of several; `names` comes once for each, or once with commas."""
    names = [name for value in call.query.getlist("names") for name in value.split(",") if name]
    return _saved(call, names)


async def load_images(call: Call) -> ASGIApp:
    """POST /images/load?quiet=: the body is an archive; lines tell what was loaded."""
    images, blocks, quiet = call.engine.images, _blocks(Upload(call)), call.flag("quiet")

    def work(feed: Feed) -> None:
        load(images, blocks, feed, quiet=quiet)

    return progress(call, work)


async def import_archive(call: Call) -> ASGIApp:
    """POST /images/create?fromSrc=&repo=&tag=&message=&changes=: the tar of a file system, from the body or a URL."""
    images, source = call.engine.images, call.query.get("fromSrc", "-")
    blocks = _blocks(Upload(call)) if source == "-" else fetch.blocks(_url(source))
    reference = images.parse(call.query["repo"]) if call.query.get("repo") else None
    if reference is not None and (tag := call.query.get("tag")):
        reference = images.parse(f"{replace(reference, tag=None)}:{tag}")
    if reference is not None and reference.digest is not None:
        raise BadParameter("cannot import digest reference")
    changes, message = call.query.getlist("changes"), call.query.get("message") or f"Imported from {source}"

    def work(feed: Feed) -> None:
        if source != "-":
            feed({"status": f"Downloading from {_url(source)}"})
        image = import_image(images, blocks, reference=reference, changes=changes, message=message)
        feed({"status": str(image.id)})

    return progress(call, work)


def _url(source: str) -> str:
    """Read where to import from; a name without a scheme is a host's, as with Docker. Raises BadParameter."""
    url = source if "://" in source else f"http://{source}"
    if not fetch.is_url(url):
        raise BadParameter(f"{source} is neither - nor a URL of http or https")
    return url


def _saved(call: Call, names: Sequence[str]) -> ASGIApp:
    images = call.engine.images

    def work(write: Callable[[bytes], None]) -> None:
        for block in save(images, names):
            write(block)

    return download(call, work, TAR)


def _blocks(upload: Upload) -> Iterator[bytes]:
    while block := upload.read(_BLOCK):
        yield block
