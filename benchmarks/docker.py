"""`docker push` and `docker pull` of one image by a real daemon, as people wait for them.

Most of that time is docker's own: it compresses layers at every push to a registry it has not pushed to, and unpacks
them at every pull. The row shows how much of a person's wait is the registry's doing.
"""

import contextlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench, Skipped
from benchmarks.peers import Peer
from benchmarks.wire import WrongAnswer
from tests.parts.commands import CommandFailed
from tests.parts.containerd import start_containerd
from tests.parts.dockerd import Docker, start_dockerd
from tests.parts.images import busybox_tar, docker_archive, tar_of
from tests.parts.tools import find, named

NEEDED = ("dockerd", "docker", "containerd", "ctr", "busybox")
IMAGE = "bench/image:1"
LAYERS = 8
LAYER_SIZE = 25 * 2**20
STRIPE = 64 * 1024
PUSH, PULL = "push s", "pull s"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that holds no image between samples, and the image to load into it."""

    docker: Docker
    archive: Path


def push_and_pull(bench: Bench, peer: Peer) -> dict[str, float]:
    """Push the image to an empty registry, make the daemon forget it, and pull it back."""
    daemon = bench.shared("docker", _start)
    with bench.fresh(peer) as running:
        name = f"127.0.0.1:{running.port}/{IMAGE}"
        try:
            return _timed(daemon, name)
        except CommandFailed as failed:
            raise WrongAnswer(str(failed)) from None
        finally:
            with contextlib.suppress(CommandFailed):  # gone already, if the pull failed
                daemon.docker("image", "rm", "--force", name)


def _timed(daemon: Daemon, name: str) -> dict[str, float]:
    docker = daemon.docker
    docker("load", "--quiet", "--input", daemon.archive)
    docker("tag", IMAGE, name)
    docker("image", "rm", IMAGE)
    begun = time.perf_counter()
    docker("push", "--quiet", name)
    pushed = time.perf_counter()
    docker("image", "rm", name)
    before = time.perf_counter()
    docker("pull", "--quiet", name)
    return {PUSH: pushed - begun, PULL: time.perf_counter() - before}


def _start(directory: Path, stack: contextlib.ExitStack) -> Daemon:
    """Start the daemon and make the image. Raises Skipped where there can be none."""
    missing = [tool for tool in NEEDED if find(named(tool)) is None]
    if missing or os.geteuid() != 0:
        raise Skipped(f"needs {', '.join(missing) or 'root'}")
    for name in ("containerd", "docker"):
        (directory / name).mkdir(parents=True)
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    containerd = stack.enter_context(start_containerd(directory / "containerd"))
    docker = stack.enter_context(start_dockerd(directory / "docker", containerd))
    archive = directory / "image.tar"
    busybox = find(named("busybox")) or ""
    docker_archive(archive, IMAGE, [busybox_tar(busybox), *(_layer(number) for number in range(LAYERS - 1))])
    return Daemon(docker, archive)


def _layer(number: int) -> bytes:
    """A tar that gzip halves, as it does most real ones."""
    stripes = (os.urandom(STRIPE) if turn % 2 else bytes(STRIPE) for turn in range(LAYER_SIZE // STRIPE))
    return tar_of({f"data/{number}": b"".join(stripes)})
