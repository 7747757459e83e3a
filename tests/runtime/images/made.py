"""Images of tests: made in a store without any registry."""

import json
from collections.abc import Sequence
from typing import Any

from runtime.images import arrivals
from runtime.images.image import Image
from storage.digest import Digest
from tests.runtime.images.conftest import Store
from tests.runtime.images.tars import file, tar


def config_of(diff_ids: Sequence[Digest], created: str = "2026-01-02T03:04:05.5Z", **runtime: Any) -> bytes:
    """An image's configuration."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": runtime,
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id in diff_ids]},
    }
    return json.dumps(document).encode()


def layer(store: Store, *names: str) -> Digest:
    """A layer of files that hold their names; its bytes are kept."""
    data = tar(*(file(name, name.encode()) for name in names))
    return arrivals.take(store.layers, store.content, Digest.of(data), iter([data])).diff_id


def image(
    store: Store, *names: str, files: Sequence[str] = ("f",), manifest: bytes | None = None, **config: Any
) -> Image:
    """An image of one layer, called by the names."""
    content = config_of([layer(store, *files)], **config)
    references = [store.images.parse(name) for name in names]
    return store.images.register(content, references=references, manifest=manifest)
