"""Where build steps change files: the layers so far, mounted with an empty one on top. Nothing is left of it after.

What a killed daemon leaves: the top layer is removed with `Layers`' scratch, the mount by `recover`.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.config import Settings
from runtime.containers import rootfs
from runtime.containers.rootfs import Roots
from runtime.images.layers import Layers
from storage.digest import Digest


@dataclass(frozen=True, slots=True)
class Workspace:
    """`root`: the whole file system; `upper`: what was changed in it."""

    root: Path
    upper: Path


class Workspaces:
    """Makes them. Safe from any thread."""

    def __init__(self, settings: Settings, layers: Layers) -> None:
        self._layers = layers
        self._data = settings.data
        self._run = settings.run / "build"
        self._roots = Roots(settings.data, userxattr=settings.rootless)

    def recover(self) -> None:
        """Take away what a killed daemon left mounted."""
        for place in rootfs.mounted_below(self._run):
            rootfs.unmount(place)

    def close(self) -> None:
        """End."""
        self._roots.close()

    @contextmanager
    def mounted(self, diff_ids: Sequence[Digest]) -> Iterator[Workspace]:
        """Lend one on top of these layers. Raises EngineError."""
        with self._layers.scratch() as directory:
            for name in ("upper", "work", "empty"):
                (directory / name).mkdir(mode=0o755)
            below = f"{directory.relative_to(self._data)}/empty"  # overlayfs wants one at least
            target = self._run / secrets.token_hex(8)
            try:
                self._roots.mount(target, [*self._layers.lowerdirs(diff_ids), below], directory)
                yield Workspace(target, directory / "upper")
            finally:
                rootfs.unmount(target)
