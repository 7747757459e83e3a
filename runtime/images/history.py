"""How an image was made, as `docker history` tells it: its configuration's history, and the layers' sizes.

Whoever wrote the image wrote the history; where it does not fit the layers, sizes are left at 0 (image-spec config.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runtime import moments
from runtime.images.image import Image
from runtime.images.images import Images

MISSING = "<missing>"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `created`: nanoseconds since 1970; `size`: bytes that it added; `id`: the image's, at the last step."""

    id: str
    created: int
    created_by: str
    tags: tuple[str, ...]
    size: int
    comment: str


def history(images: Images, image: Image) -> list[Step]:
    """Tell how an image was made, the last step first."""
    layers = iter(image.diff_ids)
    entries: list[dict[str, Any]] = image.config.get("history") or []
    untold = len(image.diff_ids) - sum(not entry.get("empty_layer") for entry in entries)
    entries = [*({} for _ in range(untold)), *entries]  # who begins to tell, begins above what was there
    steps = [_step(entry, 0 if entry.get("empty_layer") else _size(images, layers)) for entry in entries]
    steps.reverse()
    if steps:
        last = steps[0]
        names = tuple(images.familiar(tag) for tag in image.tags)
        steps[0] = Step(str(image.id), last.created, last.created_by, names, last.size, last.comment)
    return steps


def _step(entry: dict[str, Any], size: int) -> Step:
    try:
        created = moments.parse_rfc3339(entry.get("created") or "")
    except ValueError:
        created = moments.NEVER
    return Step(MISSING, created, entry.get("created_by") or "", (), size, entry.get("comment") or "")


def _size(images: Images, layers: Iterator[Any]) -> int:
    diff_id = next(layers, None)
    if diff_id is None or not images.layers.has(diff_id):
        return 0
    return images.layers.get(diff_id).size
