"""podman and buildah on one image store of the test's own, so that neither sees the machine's images.

Their cache of what blobs exist where stays the machine's: neither lets it be moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.commands import run
from tests.parts.mounts import unmount_below
from tests.parts.tools import require, require_root

# podman would raise these, which a root without CAP_SYS_RESOURCE may not; lowering is always allowed.
LOW_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")


@dataclass(frozen=True, slots=True)
class Store:
    """An image store; `vfs` needs no kernel support, and the tests' images are small."""

    directory: Path
    logins: Path | None = None  # the file of logins; none: the store's own
    launcher: tuple[str, ...] = ()  # what runs the programs on another machine

    @property
    def options(self) -> tuple[str, ...]:
        """What both programs need to use this store."""
        return (f"--root={self.directory}/root", f"--runroot={self.directory}/run", "--storage-driver=vfs")

    def podman(self, *arguments: str | Path, stdin: str = "") -> str:
        """Run podman."""
        apart = (f"--tmpdir={self.directory}/tmp", "--cgroup-manager=cgroupfs", "--events-backend=file")
        command = (*self.launcher, require("podman"), *self.options, *apart, *arguments)
        return run(*command, environment=self.environment, stdin=stdin)

    def run_image(self, reference: str) -> str:
        """Pull the image again and run its command, without a network; returns what it prints."""
        runtime = f"--runtime={require('runc')}"  # Debian's crun refuses a machine with both versions of cgroups
        options = ("--rm", "--network=none", "--tls-verify=false", "--pull=always", "--quiet", *LOW_LIMITS)
        return self.podman(runtime, "run", *options, reference)

    def buildah(self, *arguments: str | Path, stdin: str = "") -> str:
        """Run buildah."""
        command = (*self.launcher, require("buildah"), *self.options, *arguments)
        return run(*command, environment=self.environment, stdin=stdin)

    @property
    def environment(self) -> dict[str, str]:
        """Without the user's own logins."""
        return {"REGISTRY_AUTH_FILE": str(self.logins or self.directory / "auth.json")}


@contextmanager
def open_store(directory: Path) -> Iterator[Store]:
    """A new store on `directory`, a short path."""
    require_root()
    (directory / "auth.json").write_text("{}")
    try:
        yield Store(directory)
    finally:
        unmount_below(directory)
