"""A container's changes as an image's new layer: `docker commit`.

Knows no API; whoever calls it has seen to it that the container stands still. Source: Engine API, "Create a new image
from a container"; moby, daemon/commit.go for what the new image says of itself.
"""

import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime import moments
from runtime.containers.model import Container
from runtime.errors import NotFound
from runtime.images.amending import amended
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.reference import ImageReference
from storage.digest import Digest

_LISTED = ("ExposedPorts", "Volumes", "Labels")
_OWN = ("User", "Entrypoint", "Cmd", "WorkingDir", "StopSignal", "StopTimeout", "Healthcheck", "OnBuild", "Shell")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user says of the new image. `config`: another one than the container's; `changes`: Dockerfile lines."""

    reference: ImageReference | None = None
    author: str = ""
    comment: str = ""
    config: Mapping[str, Any] | None = None
    changes: Sequence[str] = ()


def commit(images: Images, container: Container, wish: Wish) -> Image:
    """Make an image of the container's own and what it changed. Raises: BadParameter; Unpackable; OSError."""
    runtime = amended(merged(wish.config or {}, container.config), wish.changes)
    owner = f"commit-{secrets.token_hex(8)}"
    try:
        layer = images.layers.commit(container.upper)
        images.layers.hold(owner, [layer.diff_id])
        config = _document(_parent(images, container), container, wish, runtime, layer.diff_id)
        references = [wish.reference] if wish.reference else []
        return images.register(json.dumps(config).encode(), references=references)
    finally:
        images.layers.release(owner)


def merged(given: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What the new image's containers run: as given, and where nothing is given as this container did."""
    runtime: dict[str, Any] = {name: given.get(name) or own.get(name) for name in _OWN}
    if given.get("Entrypoint") and not given.get("Cmd"):
        runtime["Cmd"] = None  # another entrypoint does not get the old arguments
    for name in _LISTED:
        runtime[name] = {**(own.get(name) or {}), **(given.get(name) or {})}
    names = {text.partition("=")[0] for text in given.get("Env") or ()}
    runtime["Env"] = [
        *(given.get("Env") or ()),
        *(text for text in own.get("Env") or () if text.partition("=")[0] not in names),
    ]
    return {name: value for name, value in runtime.items() if value}


def _parent(images: Images, container: Container) -> Mapping[str, Any]:
    """The configuration of the image that it runs; where that was removed, what is known without it."""
    try:
        return images.get(Digest.parse(container.image_id)).config
    except NotFound:
        layers = {"type": "layers", "diff_ids": list(container.diff_ids)}
        return {"os": "linux", "architecture": "amd64", "rootfs": layers, "history": []}


def _document(
    parent: Mapping[str, Any], container: Container, wish: Wish, runtime: Mapping[str, Any], diff_id: Digest
) -> dict[str, Any]:
    now = moments.rfc3339(time.time_ns())
    step = {
        "created": now,
        "created_by": " ".join([*_words(container.config.get("Entrypoint")), *_words(container.config.get("Cmd"))]),
        **({"author": wish.author} if wish.author else {}),
        **({"comment": wish.comment} if wish.comment else {}),
    }
    kept = {name: parent[name] for name in ("architecture", "os", "variant", "os.version") if parent.get(name)}
    return {
        **kept,
        "created": now,
        **({"author": wish.author} if wish.author else {}),
        **({"comment": wish.comment} if wish.comment else {}),
        "container": container.id,
        "config": dict(runtime),
        "rootfs": {"type": "layers", "diff_ids": [*container.diff_ids, str(diff_id)]},
        "history": [*(parent.get("history") or ()), step],
    }


def _words(value: str | Iterable[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
