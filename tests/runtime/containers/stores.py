"""Volumes as plain directories, for containers' tests: a real implementation of `neighbours.Stores`."""

import shutil
from pathlib import Path

from runtime.containers.model import Mount
from runtime.errors import Conflict, EngineError, NotFound


class DirectoryStores:
    """One directory a volume. `held`, `mounted`: which containers have it, and which run with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.held: set[tuple[str, str]] = set()
        self.mounted: set[tuple[str, str]] = set()
        root.mkdir(exist_ok=True)

    def prepare(self, mount: Mount) -> None:
        """Make the directory; a volume called `broken` cannot be made."""
        if mount.source == "broken":
            raise EngineError("error while mounting volume: it is broken")
        (self.root / mount.source).mkdir(exist_ok=True)

    def mount(self, name: str, container_id: str) -> Path:
        """Note that it is in use."""
        if not (self.root / name).is_dir():
            raise NotFound(f"get {name}: no such volume")
        self.mounted.add((name, container_id))
        return self.root / name

    def release(self, name: str, container_id: str) -> None:
        """Note that it is not in use any more."""
        self.mounted.discard((name, container_id))

    def hold(self, name: str, container_id: str) -> None:
        """Note that a container has it."""
        self.held.add((name, container_id))

    def drop(self, name: str, container_id: str) -> None:
        """Note that it has it no more."""
        self.held.discard((name, container_id))

    def remove(self, name: str) -> None:
        """Remove it, unless a container has it."""
        if any(held == name for held, _ in self.held):
            raise Conflict(f"remove {name}: volume is in use")
        shutil.rmtree(self.root / name, ignore_errors=True)
