"""What an archive of images says that it holds: Docker's manifest.json, or an OCI image layout.

Only the table of contents is read here; every name in it is the client's, and looked up in a `Spool`.
Sources: moby's image/tarexport, image-spec image-layout.md and image-index.md.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry.oci import mediatypes
from runtime.errors import BadParameter
from runtime.images.images import MANIFEST_LIMIT
from runtime.images.platforms import architecture
from runtime.images.spool import Spool
from storage.digest import Digest, InvalidDigest

_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_IMAGES = (mediatypes.OCI_MANIFEST, mediatypes.DOCKER_MANIFEST)
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Archived:
    """One image of an archive: where its configuration and layers are, and its names."""

    config: str
    layers: tuple[str, ...]
    names: tuple[str, ...]
    manifest: bytes | None = None


def contents(spool: Spool) -> list[Archived]:
    """List the images of an archive. Raises BadParameter, in Docker's words where it has some."""
    if spool.has("manifest.json"):
        entries = _parsed(spool.read("manifest.json", MANIFEST_LIMIT), "manifest.json")
        if not isinstance(entries, list):
            raise BadParameter("invalid archive: manifest.json is not what docker save writes")
        return [_docker(entry) for entry in entries]
    if spool.has("oci-layout") and spool.has("index.json"):
        return list(_layout(spool, _parsed(spool.read("index.json", MANIFEST_LIMIT), "index.json"), (), 0))
    if spool.has("repositories"):
        raise BadParameter(
            "the archive has Docker's format of before 2016; load it with an old Docker and save it anew"
        )
    raise BadParameter("invalid archive: does not contain a manifest.json")


def _docker(entry: object) -> Archived:
    if isinstance(entry, dict):
        config, layers, names = entry.get("Config"), entry.get("Layers") or [], entry.get("RepoTags") or []
        if isinstance(config, str) and _are_texts(layers) and _are_texts(names):
            return Archived(config, tuple(layers), tuple(names))
    raise BadParameter("invalid archive: manifest.json is not what docker save writes")


def _layout(spool: Spool, index: object, names: tuple[str, ...], depth: int) -> Iterator[Archived]:
    """List an index's images; of an index in it, the images for this machine."""
    manifests = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(manifests, list) or depth > _DEPTH:
        raise BadParameter("invalid archive: its index.json is no image index")
    for descriptor in _fitting(manifests) if depth else manifests:
        place = _place(descriptor)
        content = spool.read(place, MANIFEST_LIMIT)
        found = _parsed(content, place)
        called = names or _called(descriptor)
        if isinstance(found, dict) and "manifests" in found and "layers" not in found:
            yield from _layout(spool, found, called, depth + 1)
        elif (
            isinstance(found, dict) and descriptor.get("mediaType") in _IMAGES and isinstance(found.get("layers"), list)
        ):
            yield Archived(_place(found.get("config")), tuple(map(_place, found["layers"])), called, content)


def _fitting(manifests: list[Any]) -> list[Any]:
    """Give the manifests of this machine's architecture, or all where none says that it is."""
    mine = architecture()
    platforms = [entry.get("platform") if isinstance(entry, dict) else None for entry in manifests]
    fits = [isinstance(platform, dict) and platform.get("architecture") == mine for platform in platforms]
    return [entry for entry, fit in zip(manifests, fits, strict=True) if fit] or manifests


def _called(descriptor: Mapping[str, Any]) -> tuple[str, ...]:
    annotations = descriptor.get("annotations")
    found = [annotations.get(name) for name in _NAMES] if isinstance(annotations, dict) else []
    return tuple(name for name in found if isinstance(name, str))[:1]


def _place(descriptor: object) -> str:
    """Name the file of a descriptor's content. Raises BadParameter."""
    if isinstance(descriptor, dict) and isinstance(descriptor.get("digest"), str):
        try:
            digest = Digest.parse(descriptor["digest"])
        except InvalidDigest as error:
            raise BadParameter(f"invalid archive: {error}") from None
        return f"blobs/{digest.algorithm}/{digest.encoded}"
    raise BadParameter("invalid archive: a descriptor without a digest")


def _parsed(content: bytes, place: str) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadParameter(f"invalid archive: {place}: {error}") from None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
