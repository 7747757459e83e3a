"""The image as far as it is built: its configuration, its layers, and the digest that both have. Pure.

Source: image-spec config.md; what Docker writes into `history`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runtime import moments
from runtime.images.image import Image
from storage.digest import Digest
from storage.hashing import Hasher

_PLATFORM = ("architecture", "os", "variant", "os.version", "os.features")


@dataclass(frozen=True, slots=True)
class State:
    """One state between two steps. `identity`: the digest of its configuration, which is the image's id."""

    platform: Mapping[str, Any]
    runtime: Mapping[str, Any] = field(default_factory=dict)
    diff_ids: tuple[Digest, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()
    author: str = ""
    created: int = moments.NEVER
    base: str = ""
    """The base image's id, while nothing was added to it: its configuration may hold more than ours."""

    def config(self) -> bytes:
        """Write the configuration, the same bytes for the same state."""
        document: dict[str, Any] = {
            **self.platform,
            **({"author": self.author} if self.author else {}),
            **({"created": moments.rfc3339(self.created)} if self.created != moments.NEVER else {}),
            "config": {name: value for name, value in self.runtime.items() if value not in (None, "", [], {})},
            "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id in self.diff_ids]},
            "history": list(self.history),
        }
        return json.dumps(document, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()

    @property
    def identity(self) -> str:
        """The image's id, were it an image now."""
        if self.base:
            return self.base
        hasher = Hasher("sha256")
        hasher.update(self.config())
        return str(hasher.digest())

    def stepped(
        self, text: str, created: int, *, runtime: Mapping[str, Any] | None = None, layer: Digest | None = None
    ) -> "State":
        """Give the state after one more step. `text`: the instruction, for the history; `created`: nanoseconds."""
        entry: dict[str, Any] = {"created": moments.rfc3339(created), "created_by": text}
        if layer is None:
            entry["empty_layer"] = True
        return replace(
            self,
            runtime=self.runtime if runtime is None else runtime,
            diff_ids=self.diff_ids if layer is None else (*self.diff_ids, layer),
            history=(*self.history, entry),
            created=created,
            base="",
        )


def empty(platform: Mapping[str, Any]) -> State:
    """Give the state after `FROM scratch`."""
    return State(platform, {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]})


def based_on(image: Image) -> State:
    """Give the state after `FROM image`; its triggers are for who reads them, and not handed on."""
    config = image.config
    return State(
        platform={name: config[name] for name in _PLATFORM if config.get(name)},
        runtime=dict(image.runtime),
        diff_ids=image.diff_ids,
        history=tuple(config.get("history") or ()) or tuple({} for _ in image.diff_ids),
        author=config.get("author") or "",
        created=image.created,
        base=str(image.id),
    )
