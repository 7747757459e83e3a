"""`docker load`: images out of an archive, as `docker save` of any age writes one, or as an OCI image layout.

The archive is spread out in a spool first, for its table of contents may come last. Every layer is checked against the
configuration's diff IDs. What was loaded before a broken image stays, as with Docker (moby, image/tarexport).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from runtime.errors import BadParameter
from runtime.images import arrivals, configuration
from runtime.images.archived import Archived, contents
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.spool import Spool
from runtime.images.unpack import room, unpack

Feed = Callable[[dict[str, Any]], None]
"""Told each line of progress, as Docker's JSON."""

_BLOCK = 2**20


def load(images: Images, blocks: Iterator[bytes], feed: Feed, *, quiet: bool = False) -> list[Image]:
    """Load every image of an archive, plain or compressed. `quiet`: say what was loaded, and not how far it is.

    Raises: BadParameter, BadLayer, WrongLayer, BadConfiguration; what reading `blocks` raises.
    """
    with images.layers.scratch() as directory:
        unpack(blocks, directory, room(directory))
        spool = Spool(directory)
        found = contents(spool)
        return [_take(images, spool, archived, feed, feed if not quiet else _silent) for archived in found]


def load_file(images: Images, path: Path, feed: Feed) -> list[Image]:
    """Load an archive that is a file here."""
    with path.open("rb") as file:
        return load(images, blocks_of(file), feed)


def blocks_of(file: BinaryIO) -> Iterator[bytes]:
    """Give a file's bytes in blocks."""
    while block := file.read(_BLOCK):
        yield block


def _take(images: Images, spool: Spool, archived: Archived, say: Feed, feed: Feed) -> Image:
    config = spool.read(archived.config, configuration.LIMIT)
    read = configuration.read(config)
    if len(read.diff_ids) != len(archived.layers):
        expected, got = len(read.diff_ids), len(archived.layers)
        raise BadParameter(f"invalid manifest, layers length mismatch: expected {expected}, got {got}")
    references = [images.parse(name) for name in archived.names]
    owner = f"load-{id(read)}"
    images.layers.hold(owner, read.diff_ids)
    try:
        for diff_id, name in zip(read.diff_ids, archived.layers, strict=True):
            with spool.open(name) as file:
                line = {"status": "Loading layer", "id": diff_id.encoded[:12]}
                arrivals.take(images.layers, images.content, diff_id, _told(file, line, feed))
        image = images.register(config, references=references)
    finally:
        images.layers.release(owner)
    images.tell("load", image.id)
    for reference in references:
        say({"stream": f"Loaded image: {images.familiar(reference)}\n"})
    if not references:
        say({"stream": f"Loaded image ID: {image.id}\n"})
    return image


def _told(file: BinaryIO, line: dict[str, Any], feed: Feed) -> Iterator[bytes]:
    """Give a layer's blocks, and tell how far it is."""
    total = file.seek(0, 2)
    file.seek(0)
    for block in blocks_of(file):
        yield block
        feed(line | {"progressDetail": {"current": file.tell(), "total": total}})


def _silent(_: dict[str, Any]) -> None:
    """Say nothing."""
