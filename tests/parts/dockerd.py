"""A real Docker daemon of the test's own: no bridge, no firewall rules, nothing outside its directory.

Docker takes registries on 127.0.0.0/8 without TLS, so no configuration names the server under test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.commands import run, start, stop, succeeds, wait_until
from tests.parts.containerd import Containerd
from tests.parts.mounts import unmount_below
from tests.parts.tools import require, require_root

# A network-less daemon touches no rule of the machine it runs on.
NO_NETWORK = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")


@dataclass(frozen=True, slots=True)
class Docker:
    """A live daemon."""

    client: str
    address: str
    config: Path
    launcher: tuple[str, ...] = ()

    def __call__(self, *arguments: str | Path, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
        """Run `docker` against this daemon, without the user's own logins."""
        command = (*self.launcher, self.client, "--config", self.config, "--host", self.address, *arguments)
        return run(*command, stdin=stdin, environment=environment)

    def digest(self, reference: str) -> str:
        """The digest under which the daemon knows a pulled or pushed image."""
        repository, _, _ = reference.rpartition(":")
        known = self("image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', reference).splitlines()
        return next(entry.partition("@")[2] for entry in known if entry.startswith(f"{repository}@"))


@contextmanager
def start_dockerd(directory: Path, containerd: Containerd, launcher: tuple[str, ...] = ()) -> Iterator[Docker]:
    """A dockerd on `directory` (a short path), over a running containerd; `launcher` runs it on another machine."""
    require_root()
    daemon, client = require("dockerd"), require("docker")
    address, log = f"unix://{directory}/docker.sock", directory / "log"
    process = start(
        *launcher,
        daemon,
        f"--data-root={directory}/data",
        f"--exec-root={directory}/exec",
        f"--host={address}",
        f"--pidfile={directory}/pid",
        f"--containerd={containerd.socket}",
        *NO_NETWORK,
        log=log,
    )
    try:
        wait_until(lambda: succeeds(client, "--host", address, "version"), "starting dockerd", log)
        yield Docker(client, address, directory / "config", launcher)
    finally:
        stop(process)
        unmount_below(directory)
