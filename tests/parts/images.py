"""Makes container images without a network: OCI layouts and Docker archives, from bytes and Debian's static busybox.

Every image is the same on every machine with the same busybox: no clocks, no names, sorted JSON. It knows the
image-spec's formats and nothing of registries or clients (image-spec: image-layout.md, manifest.md, image-index.md).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"

Compression = Literal["none", "gzip", "zstd"]
SUFFIX: Mapping[Compression, str] = {"none": "", "gzip": "+gzip", "zstd": "+zstd"}
ZSTD_BLOCK = 128 * 1024  # RFC 8878, 3.1.1.2.4: the most that one block may hold
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What points at content: media type, digest, size, and where given a platform."""

    media_type: str
    digest: str
    size: int
    platform: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None

    def json(self) -> dict[str, Any]:
        """The descriptor as manifests and indexes hold it."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform:
            value["platform"] = dict(self.platform)
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's blob and the digest of its uncompressed tar."""

    descriptor: Descriptor
    diff_id: str


class Layout:
    """An OCI image layout on disk that images are written into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tagged: dict[str, Descriptor] = {}
        (path / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, content: bytes, media_type: str) -> Descriptor:
        """Store bytes."""
        return self.stream([content], media_type)

    def stream(self, chunks: Iterable[bytes], media_type: str) -> Descriptor:
        """Store bytes that need not fit into memory."""
        sha256, size, unnamed = hashlib.sha256(), 0, self.path / "blobs" / "unnamed"
        with unnamed.open("wb") as file:
            for chunk in chunks:
                sha256.update(chunk)
                size += file.write(chunk)
        unnamed.rename(self.path / "blobs" / "sha256" / sha256.hexdigest())
        return Descriptor(media_type, f"sha256:{sha256.hexdigest()}", size)

    def layer(self, tar: bytes, compression: Compression = "gzip") -> Layer:
        """Store a tar as a layer."""
        packed = {"none": lambda: tar, "gzip": lambda: gzip.compress(tar, 6, mtime=0), "zstd": lambda: zstd(tar)}
        descriptor = self.blob(packed[compression](), LAYER + SUFFIX[compression])
        return Layer(descriptor, digest_of(tar))

    def image(self, layers: Sequence[Layer], *, architecture: str = "amd64", command: Sequence[str] = ()) -> Descriptor:
        """Store a config and a manifest over the layers."""
        config = image_config([layer.diff_id for layer in layers], architecture, command)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(config, CONFIG).json(),
            "layers": [layer.descriptor.json() for layer in layers],
        }
        stored = self.blob(canonical(manifest), MANIFEST)
        return Descriptor(stored.media_type, stored.digest, stored.size, {"os": "linux", "architecture": architecture})

    def index(self, manifests: Sequence[Descriptor]) -> Descriptor:
        """Store an image index."""
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest.json() for manifest in manifests]}
        return self.blob(canonical(index), INDEX)

    def artifact(self, artifact_type: str, content: bytes, subject: Descriptor | None = None) -> Descriptor:
        """Store an artifact of one layer, with or without a subject (image-spec, "Guidelines for Artifact Usage")."""
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": self.blob(b"{}", EMPTY).json(),
            "layers": [self.blob(content, "application/octet-stream").json()],
        }
        if subject:
            manifest["subject"] = Descriptor(subject.media_type, subject.digest, subject.size).json()
        return self.blob(canonical(manifest), MANIFEST)

    def tag(self, name: str, descriptor: Descriptor) -> Descriptor:
        """Name a manifest or an index in the layout's own index."""
        self._tagged[name] = descriptor
        entries = []
        for ref, target in self._tagged.items():
            named = Descriptor(
                target.media_type,
                target.digest,
                target.size,
                target.platform,
                {"org.opencontainers.image.ref.name": ref},
            )
            entries.append(named.json())
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        (self.path / "index.json").write_bytes(canonical(index))
        return descriptor


def busybox_image(layout: Layout, busybox: str, tag: str, *, compression: Compression = "gzip") -> Descriptor:
    """An image that runs: a shell and its commands, and a second layer that holds only /tag."""
    layers = [
        layout.layer(busybox_tar(busybox), compression),
        layout.layer(tar_of({"tag": tag.encode()}), compression),
    ]
    return layout.tag(tag, layout.image(layers, command=["/bin/sh", "-c", "cat /tag"]))


def multi_arch_image(layout: Layout, busybox: str, tag: str) -> Descriptor:
    """An index of two platforms, of which amd64 runs."""
    runs = layout.layer(busybox_tar(busybox))
    images = [
        layout.image([runs, layout.layer(tar_of({"architecture": name.encode()}))], architecture=name)
        for name in ("amd64", "arm64")
    ]
    return layout.tag(tag, layout.index(images))


def many_layers_image(layout: Layout, tag: str, count: int) -> Descriptor:
    """An image of `count` tiny layers, each with a file of its own."""
    layers = [layout.layer(tar_of({f"layer-{number}": str(number).encode()})) for number in range(count)]
    return layout.tag(tag, layout.image(layers))


def one_layer_image(layout: Layout, tag: str, size: int) -> Descriptor:
    """An image whose one layer has about `size` bytes, made and stored in pieces of 1 MiB.

    The layer is a gzip stream of stored blocks: nothing spends time on compressing, and no client packs it again.
    """
    sha256 = hashlib.sha256()
    packer = zlib.compressobj(0, wbits=31)

    def packed() -> Iterator[bytes]:
        for chunk in big_tar("big", size):
            sha256.update(chunk)
            yield packer.compress(chunk)
        yield packer.flush()

    descriptor = layout.stream(packed(), LAYER + SUFFIX["gzip"])
    return layout.tag(tag, layout.image([Layer(descriptor, f"sha256:{sha256.hexdigest()}")]))


def docker_archive(path: Path, name: str, tars: Sequence[bytes], *, command: Sequence[str] = ()) -> None:
    """Write what `docker load` reads: each layer's tar, the config, and manifest.json."""
    config = image_config([digest_of(tar) for tar in tars], "amd64", command)
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    files = {config_name: config}
    for number, tar in enumerate(tars):
        files[f"{number}/layer.tar"] = tar
    layers = [f"{number}/layer.tar" for number in range(len(tars))]
    files["manifest.json"] = canonical([{"Config": config_name, "RepoTags": [name], "Layers": layers}])
    path.write_bytes(tar_of(files))


def tar_of(files: Mapping[str, bytes], links: Mapping[str, str] | None = None, mode: int = 0o644) -> bytes:
    """A tar of the files and symbolic links, owned by root, dated 1970."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


COMMANDS = ("sh", "cat", "echo", "ls", "sleep", "true", "uname", "env")


def busybox_tar(busybox: str, commands: Sequence[str] = COMMANDS) -> bytes:
    """A root file system: busybox under the names that tests call."""
    return tar_of({"bin/busybox": Path(busybox).read_bytes()}, {f"bin/{name}": "busybox" for name in commands}, 0o755)


def big_tar(name: str, size: int) -> Iterator[bytes]:
    """The pieces of a tar with one file of `size` bytes that does not compress and has no two equal blocks."""
    member = tarfile.TarInfo(name)
    member.size = size
    yield member.tobuf(tarfile.USTAR_FORMAT)
    noise = random.Random(0).randbytes(MEBIBYTE)
    for offset in range(0, size, MEBIBYTE):
        yield (offset.to_bytes(8, "big") + noise[8:])[: size - offset]
    yield bytes(-size % 512 + 1024)


def zstd(data: bytes) -> bytes:
    """A zstd frame of raw blocks (RFC 8878, 3.1.1): valid for every reader, and needs no library."""
    header = b"\x28\xb5\x2f\xfd" + b"\xe0" + len(data).to_bytes(8, "little")  # one segment, 8 bytes of content size
    starts = range(0, max(len(data), 1), ZSTD_BLOCK)
    blocks = []
    for start in starts:
        block = data[start : start + ZSTD_BLOCK]
        last = start == starts[-1]
        blocks.append((len(block) << 3 | last).to_bytes(3, "little") + block)
    return header + b"".join(blocks)


def image_config(diff_ids: Sequence[str], architecture: str, command: Sequence[str]) -> bytes:
    """An image configuration (image-spec: config.md)."""
    config: dict[str, Any] = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], **({"Cmd": list(command)} if command else {})},
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
    }
    return canonical(config)


def canonical(value: object) -> bytes:
    """JSON with one form only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest_of(content: bytes) -> str:
    """The sha256 digest of bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def noise_tar(name: str, size: int) -> bytes:
    """A tar with one file of random bytes, another one at each call."""
    return tar_of({name: os.urandom(size)})
