"""The engines that are compared, each live on a directory of its own, all in the network namespace of the benchmark.

Every one runs the same image by the same runc; what else it does is its own default.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.commands import run
from tests.parts.containerd import start_containerd
from tests.parts.dockerd import start_dockerd
from tests.parts.engine import RunningEngine, moor_program, start_engine
from tests.parts.mounts import unmount_below
from tests.parts.netns import Namespace
from tests.parts.podman import LOW_LIMITS
from tests.parts.tools import require

MOORAGE = "moorage"
MOOR = "moor"
DOCKER = "dockerd"
PODMAN = "podman"


@dataclass(frozen=True, slots=True)
class LiveEngine:
    """One engine. `command`: the words before `run`, `pull` and the rest; `processes`: what is always there."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    run_options: tuple[str, ...] = ()
    pull_options: tuple[str, ...] = ()
    processes: Callable[[], list[int]] = list

    def __call__(self, *arguments: str | Path, stdin: str = "") -> str:
        """Run one command to its end. Raises CommandFailed."""
        return run(*self.command, *arguments, environment=self.environment, stdin=stdin)


@contextmanager
def moorage_engine() -> Iterator[tuple[LiveEngine, LiveEngine]]:
    """Our daemon, driven by the stock docker command and by our own."""
    with start_engine(Namespace()) as engine:
        stock = (require("docker"), "--config", str(engine.directory / "docker"), "--host", f"unix://{engine.socket}")
        settings = engine.settings
        yield (
            LiveEngine(MOORAGE, stock, {}, processes=lambda: [_pid(engine)]),
            LiveEngine(MOOR, (str(moor_program()),), settings),
        )


@contextmanager
def docker_engine(directory: Path) -> Iterator[LiveEngine]:
    """dockerd over a containerd, as Debian has them, without a network of its own."""
    for name in ("containerd", "docker"):
        (directory / name).mkdir(parents=True)
    with (
        start_containerd(directory / "containerd") as containerd,
        start_dockerd(directory / "docker", containerd) as docker,
    ):
        command = (docker.client, "--config", str(docker.config), "--host", docker.address)
        yield LiveEngine(DOCKER, command, {}, processes=lambda: _naming(directory))


@contextmanager
def podman_engine(directory: Path) -> Iterator[LiveEngine]:
    """podman on overlay, with the same runc."""
    directory.mkdir(parents=True)
    command = (
        *(require("podman"), f"--root={directory}/root", f"--runroot={directory}/run", f"--tmpdir={directory}/tmp"),
        *("--storage-driver=overlay", "--cgroup-manager=cgroupfs", "--events-backend=file"),
        f"--runtime={require('runc')}",
    )
    try:
        yield LiveEngine(PODMAN, command, {}, LOW_LIMITS, ("--tls-verify=false",))
    finally:
        unmount_below(directory)


def _pid(engine: RunningEngine) -> int:
    assert engine.process is not None
    return engine.process.pid


def _naming(directory: Path) -> list[int]:
    """The daemons whose arguments name the directory: dockerd and its containerd."""
    found = subprocess.run(["pgrep", "--full", str(directory)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]
