"""One face for seven client programs: push the sample image under a name, pull a name and say its digest.

What only one client can do is tested in that client's own file; here is what all can, so that they can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.parts.containerd import Containerd
from tests.parts.dockerd import Docker
from tests.parts.podman import Store

Run = Callable[..., str]  # a program bound to its global options

NO_TLS = ("--tls-verify=false",)
PLAIN_HTTP = ("--plain-http",)


@dataclass(frozen=True, slots=True)
class Samples:
    """The images that tests push, made once a session."""

    directory: Path  # one OCI layout an image: busybox, zstd, and both (an index of two platforms)
    archive: Path  # busybox's layout in one tar, which ctr imports
    docker_archive: Path  # what docker loads: an image that runs, named moorage/sample:latest
    digests: Mapping[str, str]  # image -> digest

    def layout(self, name: str) -> Path:
        """The layout that holds that image alone, tagged with its name."""
        return self.directory / name

    def oci(self, name: str) -> str:
        """The image's name for programs of the containers project."""
        return f"oci:{self.layout(name)}:{name}"


class Client(Protocol):
    """What the tests of agreement ask of every client; `reference` is HOST/REPOSITORY:TAG."""

    keeps_bytes: bool  # whether it pushes the manifest it was given, or one of its own making

    def push(self, reference: str) -> None:
        """Push the sample image."""

    def pull(self, reference: str) -> str:
        """Forget every image, pull, and return the digest that the client then names."""


@dataclass(frozen=True, slots=True)
class DockerClient:
    """Docker's daemon with its graph-driver store."""

    docker: Docker
    samples: Samples
    keeps_bytes = False

    def push(self, reference: str) -> None:
        self.docker("load", "--quiet", "--input", self.samples.docker_archive)
        self.docker("tag", "moorage/sample:latest", reference)
        self.docker("push", "--quiet", reference)

    def pull(self, reference: str) -> str:
        self.docker("image", "prune", "--all", "--force")
        self.docker("pull", "--quiet", reference)
        return self.docker.digest(reference)


@dataclass(frozen=True, slots=True)
class PodmanClient:
    """podman, with an image store."""

    store: Store
    samples: Samples
    tls: tuple[str, ...] = NO_TLS
    keeps_bytes = False

    def push(self, reference: str) -> None:
        identity = self.store.podman("pull", "--quiet", self.samples.oci("busybox"))
        self.store.podman("push", "--quiet", *self.tls, identity, f"docker://{reference}")

    def pull(self, reference: str) -> str:
        self.store.podman("rmi", "--all", "--force")
        self.store.podman("pull", "--quiet", *self.tls, reference)
        return self.store.podman("image", "inspect", "--format", "{{.Digest}}", reference)


@dataclass(frozen=True, slots=True)
class BuildahClient:
    """buildah, on podman's store."""

    store: Store
    samples: Samples
    tls: tuple[str, ...] = NO_TLS
    keeps_bytes = False

    def push(self, reference: str) -> None:
        identity = self.store.buildah("pull", "--quiet", self.samples.oci("busybox"))
        self.store.buildah("push", "--quiet", *self.tls, identity, f"docker://{reference}")

    def pull(self, reference: str) -> str:
        self.store.buildah("rmi", "--all", "--force")
        self.store.buildah("pull", "--quiet", *self.tls, reference)
        return str(json.loads(self.store.buildah("images", "--json", reference))[0]["digest"])


@dataclass(frozen=True, slots=True)
class SkopeoClient:
    """skopeo, which copies and stores nothing itself.

    Without --preserve-digests it may put another packing of a layer, which its machine-wide cache remembers, in place.
    """

    skopeo: Run
    samples: Samples
    scratch: Path
    tls: tuple[str, ...] = NO_TLS
    keeps_bytes = True

    def push(self, reference: str) -> None:
        target = f"docker://{reference}"
        self.skopeo("copy", "--preserve-digests", *self._tls("dest"), self.samples.oci("busybox"), target)

    def pull(self, reference: str) -> str:
        digest = self.scratch / "digest"
        target = f"dir:{self.scratch}/image"
        self.skopeo("copy", *self._tls("src"), f"--digestfile={digest}", f"docker://{reference}", target)
        return digest.read_text().strip()

    def _tls(self, side: str) -> tuple[str, ...]:
        return tuple(f"--{side}-{option.removeprefix('--')}" for option in self.tls)


@dataclass(frozen=True, slots=True)
class CraneClient:
    """crane; its `validate` reads and checks every blob, which a pull does not."""

    crane: Run
    samples: Samples
    scratch: Path
    keeps_bytes = True

    def push(self, reference: str) -> None:
        self.crane("push", self.samples.layout("busybox"), reference)

    def pull(self, reference: str) -> str:
        self.crane("pull", "--format=oci", reference, self.scratch / "pulled")
        self.crane("validate", "--remote", reference)
        return self.crane("digest", reference)


@dataclass(frozen=True, slots=True)
class OrasClient:
    """oras, copying between a layout and the registry."""

    oras: Run
    samples: Samples
    scratch: Path
    keeps_bytes = True

    def push(self, reference: str) -> None:
        self.oras("copy", "--from-oci-layout", f"{self.samples.layout('busybox')}:busybox", reference)

    def pull(self, reference: str) -> str:
        self.oras("copy", "--to-oci-layout", reference, f"{self.scratch}/oras:pulled")
        return self.oras("resolve", "--oci-layout", f"{self.scratch}/oras:pulled")


@dataclass(frozen=True, slots=True)
class CtrClient:
    """containerd's own command, which pushes a blob by one PUT and never by PATCH."""

    ctr: Containerd
    samples: Samples
    options: tuple[str, ...] = PLAIN_HTTP
    keeps_bytes = True

    def push(self, reference: str) -> None:
        self.ctr("images", "import", "--base-name", "moorage/sample", self.samples.archive)
        self.ctr("images", "tag", "--force", "moorage/sample:busybox", reference)
        self.ctr("images", "push", *self.options, reference)

    def pull(self, reference: str) -> str:
        self.ctr("images", "remove", "--sync", *self.ctr.digests())
        self.ctr("images", "pull", *self.options, "--snapshotter", "native", reference)
        return self.ctr.digests()[reference]
