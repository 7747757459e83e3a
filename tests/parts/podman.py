"""podman and buildah on one image store of the test's own, so that neither sees the machine's images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.commands import run
from tests.parts.mounts import unmount_below
from tests.parts.tools import require, require_root


@dataclass(frozen=True, slots=True)
class Store:
    """An image store; `vfs` needs no kernel support, and the tests' images are small."""

    directory: Path

    @property
    def options(self) -> tuple[str, ...]:
        """What both programs need to use this store."""
        return (f"--root={self.directory}/root", f"--runroot={self.directory}/run", "--storage-driver=vfs")

    def podman(self, *arguments: str | Path) -> str:
        """Run podman."""
        apart = (f"--tmpdir={self.directory}/tmp", "--cgroup-manager=cgroupfs", "--events-backend=file")
        return run(require("podman"), *self.options, *apart, *arguments, environment=self.environment)

    def buildah(self, *arguments: str | Path) -> str:
        """Run buildah."""
        return run(require("buildah"), *self.options, *arguments, environment=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """Without the user's own logins."""
        return {"REGISTRY_AUTH_FILE": f"{self.directory}/auth.json"}


@contextmanager
def open_store(directory: Path) -> Iterator[Store]:
    """A new store on `directory`, a short path."""
    require_root()
    (directory / "auth.json").write_text("{}")
    try:
        yield Store(directory)
    finally:
        unmount_below(directory)
