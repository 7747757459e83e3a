"""What is measured, a row each: seconds that a person waits, or MiB that a daemon holds. Less is better everywhere."""

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engine.engines import DOCKER, MOOR, MOORAGE, PODMAN, LiveEngine
from tests.parts.commands import CommandFailed, run
from tests.parts.images import busybox_tar, docker_archive, tar_of
from tests.parts.tools import require

MIB = 2**20
LAYERS = 8
STRIPE = 64 * 1024
TINY = "bench/tiny:1"
LARGE = "bench/large:1"
WIDE = "bench/wide:1"
SOURCE = Path("/usr")
SOURCE_LIMIT = 400 * MIB
TAR = "tar"


@dataclass
class Stage:
    """What all rows share: a scratch directory, a registry, and the images in it, made when a row first needs them."""

    scratch: Path
    registry: str
    quick: bool = False
    _made: set[str] = field(default_factory=set)

    def image(self, name: str) -> str:
        """The full name of an image that is in the registry."""
        full = f"{self.registry}/{name}"
        if name not in self._made:
            archive = self.scratch / "image.tar"
            docker_archive(archive, name, LAYERS_OF[name](self))
            run(require("skopeo"), "copy", "--dest-tls-verify=false", f"docker-archive:{archive}", f"docker://{full}")
            archive.unlink()
            self._made.add(name)
        return full

    def present(self, engine: LiveEngine, name: str) -> str:
        """The same, in the engine too."""
        full = self.image(name)
        if (engine.name, name) not in self._present:
            engine("pull", *engine.pull_options, "--quiet", full)
            self._present.add((engine.name, name))
        return full

    _present: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Target:
    """What has to be reached: at most `bound`, alone or as a part of what the reference takes."""

    text: str
    engine: str
    bound: float
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report."""

    name: str
    title: str
    measure: Callable[[Stage, LiveEngine], float]
    unit: str = "s"
    rounds: int = 5
    engines: tuple[str, ...] = (MOORAGE, MOOR, DOCKER, PODMAN)
    references: tuple[str, ...] = (DOCKER, PODMAN)
    targets: tuple[Target, ...] = ()

    def takes(self, engine: LiveEngine) -> bool:
        """Whether an engine takes part."""
        return engine.name in self.engines


def _timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def run_tiny(stage: Stage, engine: LiveEngine) -> float:
    """`run --rm` of a tiny image that is there, without a network."""
    image = stage.present(engine, TINY)
    return _timed(lambda: engine("run", "--rm", "--network=none", *engine.run_options, image, "/bin/busybox", "true"))


def client_version(stage: Stage, engine: LiveEngine) -> float:
    """The client's own start: `version`, asked of the daemon where there is one."""
    return _timed(lambda: engine("version"))


def pull_large(stage: Stage, engine: LiveEngine) -> float:
    """A pull of 500 MB in eight layers, that gzip halves, from a registry on the loopback."""
    image = stage.image(LARGE)
    with suppress(CommandFailed):
        engine("rmi", "--force", image)
    subprocess.run(["sync"], check=True)
    return _timed(lambda: engine("pull", *engine.pull_options, "--quiet", image))


def daemon_memory(stage: Stage, engine: LiveEngine) -> float:
    """What the idle daemon's processes hold, in MiB of proportional set size, after what the rows above did."""
    return sum(_pss(pid) for pid in engine.processes()) / MIB


def unpack_wide(stage: Stage, engine: LiveEngine) -> float:
    """A pull of one layer with many real files, against `tar -xzf` of the same blob."""
    image = stage.image(WIDE)
    with suppress(CommandFailed):
        engine("rmi", "--force", image)
    subprocess.run(["sync"], check=True)
    pulled = _timed(lambda: engine("pull", *engine.pull_options, "--quiet", image))
    target = stage.scratch / "unpacked"
    target.mkdir()
    subprocess.run(["sync"], check=True)
    blob = stage.scratch / "wide.tar.gz"
    plain = _timed(lambda: run("tar", "-xzf", blob, "-C", target))
    shutil.rmtree(target)
    return pulled / plain


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _tiny(stage: Stage) -> list[bytes]:
    return [busybox_tar(require("busybox"))]


def _large(stage: Stage) -> list[bytes]:
    size = (50 if stage.quick else 500) * 10**6 // LAYERS
    return [_striped(number, size) for number in range(LAYERS)]


def _striped(number: int, size: int) -> bytes:
    stripes = (os.urandom(STRIPE) if turn % 2 else bytes(STRIPE) for turn in range(size // STRIPE))
    return tar_of({f"data/{number}": b"".join(stripes)})


def _wide(stage: Stage) -> list[bytes]:
    """Real files of this machine, as many as the limit takes."""
    path = stage.scratch / "wide.tar"
    room = SOURCE_LIMIT // (8 if stage.quick else 1)
    with tarfile.open(path, "w") as archive:
        for file in sorted(SOURCE.rglob("*")):
            if not file.is_symlink() and not file.is_file() and not file.is_dir():
                continue
            room -= file.lstat().st_size if file.is_file() and not file.is_symlink() else 0
            if room < 0:
                break
            archive.add(file, recursive=False)
    data = path.read_bytes()
    run("gzip", "-6", path)
    return [data]


LAYERS_OF: dict[str, Callable[[Stage], list[bytes]]] = {TINY: _tiny, LARGE: _large, WIDE: _wide}

ROWS = (
    Row(
        "run",
        "`run --rm` of a tiny image, no network",
        run_tiny,
        rounds=15,
        targets=(Target("run by the stock CLI: half of dockerd's time", MOORAGE, 0.5, DOCKER),),
    ),
    Row(
        "version",
        "the client's start: `version`",
        client_version,
        rounds=15,
        targets=(Target("`moor` starts within 0.1 s", MOOR, 0.1),),
    ),
    Row(
        "pull",
        "`pull` of 500 MB in 8 layers",
        pull_large,
        engines=(MOORAGE, DOCKER, PODMAN),
        targets=(Target("pull in 0.8 of dockerd's time", MOORAGE, 0.8, DOCKER),),
    ),
    Row(
        "unpack",
        "`pull` of one layer of many real files, as a multiple of `tar -xzf`",
        unpack_wide,
        unit="x",
        rounds=3,
        engines=(MOORAGE, DOCKER, PODMAN),
        targets=(Target("unpack within 2.5 times of tar -xzf", MOORAGE, 2.5),),
    ),
    Row(
        "memory",
        "the idle daemon's memory after all that",
        daemon_memory,
        unit="MiB",
        rounds=1,
        engines=(MOORAGE, DOCKER),
        targets=(Target("daemon under 60 MiB", MOORAGE, 60),),
    ),
)
