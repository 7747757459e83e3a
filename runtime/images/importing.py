"""`docker import`: an image of one layer, out of the tar of a file system."""

import json
import time
from collections.abc import Iterator, Sequence

from runtime import moments
from runtime.images import arrivals, platforms
from runtime.images.amending import amended
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.reference import ImageReference


def import_image(
    images: Images,
    blocks: Iterator[bytes],
    *,
    reference: ImageReference | None = None,
    changes: Sequence[str] = (),
    message: str = "",
) -> Image:
    """Make an image of a tar, plain or compressed; `changes`: of its configuration, in a Dockerfile's words.

    Raises: BadParameter, BadLayer, BadCompression; what reading `blocks` raises.
    """
    runtime = amended({}, changes)
    layer = arrivals.take(images.layers, images.content, None, blocks)
    created = moments.rfc3339(time.time_ns())
    config = {
        "architecture": platforms.architecture(),
        "os": platforms.OS,
        "comment": message,
        "created": created,
        "config": runtime,
        "history": [{"created": created, "comment": message}],
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id)]},
    }
    references = [] if reference is None else [reference]
    image = images.register(json.dumps(config, separators=(",", ":")).encode(), references=references)
    images.tell("import", image.id)
    return image
