"""One image of this machine as a value; `Images` makes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.images.reference import ImageReference
from storage.digest import Digest


@dataclass(frozen=True, slots=True)
class Image:
    """One image as it is at this moment.

    `config`: the configuration as written, `config["config"]` being what containers run; `size`: bytes of its layers'
    files; `created`, `tagged`: nanoseconds since 1970; `tags` and `digests`: what it is called; `manifest`: the one it
    came with, where it came from a registry.
    """

    id: Digest
    config: Mapping[str, Any]
    diff_ids: tuple[Digest, ...]
    size: int
    created: int
    tags: tuple[ImageReference, ...] = ()
    digests: tuple[ImageReference, ...] = ()
    manifest: Digest | None = None
    tagged: int = 0

    @property
    def runtime(self) -> Mapping[str, Any]:
        """What a container of it runs: Env, Cmd, Entrypoint, User and the rest; their types were checked."""
        return self.config.get("config") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        """The image's labels."""
        return self.runtime.get("Labels") or {}
