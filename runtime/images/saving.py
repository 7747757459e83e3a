"""`docker save`: images as one archive that Docker of any age loads, and that is an OCI image layout as well.

The same images always give the same bytes: sorted, without times. Layers go in uncompressed, under their diff IDs, as
they are named in the configuration. Sources: moby's image/tarexport, image-spec image-layout.md.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from registry.oci import mediatypes
from runtime.errors import BadParameter
from runtime.images.arrivals import LAYER
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.reference import ImageReference
from runtime.images.tar_format import DIRECTORY, END, Entry, header, padding
from storage.digest import Digest

CONFIG = "application/vnd.oci.image.config.v1+json"
_OWNER = "save-"


@dataclass
class _Chosen:
    """One image to be saved, and the names that go with it."""

    image: Image
    tags: list[ImageReference] = field(default_factory=list)


def save(images: Images, names: Sequence[str]) -> Iterator[bytes]:
    """Give the archive of some images; a name without a tag means all its tags. Raises NotFound, BadParameter."""
    chosen = _chosen(images, names)
    owner = _OWNER + str(id(chosen))
    images.layers.hold(owner, [diff_id for one in chosen for diff_id in one.image.diff_ids])
    try:
        yield from _archive(images, chosen)
    finally:
        images.layers.release(owner)
    for one in chosen:
        images.tell("save", one.image.id)


def _chosen(images: Images, names: Iterable[str]) -> list[_Chosen]:
    found: dict[Digest, _Chosen] = {}
    for name in names:
        for image, tag in _meant(images, name):
            one = found.setdefault(image.id, _Chosen(image))
            if tag is not None and tag not in one.tags:
                one.tags.append(tag)
    return list(found.values())


def _meant(images: Images, name: str) -> list[tuple[Image, ImageReference | None]]:
    """Find what an argument means: a repository's every tag, one name, or an image by its id and without names."""
    every = images.tagged(name)
    if every:
        return list(every)
    image = images.resolve(name)
    try:
        wanted = images.parse(name)
    except BadParameter:  # an id
        return [(image, None)]
    return [(image, next((tag for tag in image.tags if tag == wanted), None))]


def _archive(images: Images, chosen: Sequence[_Chosen]) -> Iterator[bytes]:
    for name in (b"blobs/", b"blobs/sha256/", b"blobs/sha512/"):
        yield header(Entry(name, DIRECTORY, mode=0o755))
    seen: set[Digest] = set()
    for one in chosen:
        for diff_id in one.image.diff_ids:
            if diff_id not in seen:
                seen.add(diff_id)
                yield from _layer(images, diff_id)
    written = []
    for one in chosen:
        config = images.content.read(one.image.id, 2**26)
        manifest = _manifest(images, one.image, len(config))
        yield from _file(_place(one.image.id), config)
        yield from _file(_place(Digest.of(manifest)), manifest)
        written.append((one, manifest))
    yield from _file("index.json", _json(_index(images, written)))
    yield from _file("manifest.json", _json([_entry(images, one) for one in chosen]))
    yield from _file("oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    yield END


def _layer(images: Images, diff_id: Digest) -> Iterator[bytes]:
    size = images.layers.get(diff_id).tar_size
    yield header(Entry(_place(diff_id).encode(), b"0", size=size))
    yield from images.layers.archive(diff_id)
    yield padding(size)


def _file(name: str, content: bytes) -> Iterator[bytes]:
    yield header(Entry(name.encode(), b"0", size=len(content))) + content + padding(len(content))


def _manifest(images: Images, image: Image, size: int) -> bytes:
    layers = [
        {"mediaType": LAYER, "digest": str(diff_id), "size": images.layers.get(diff_id).tar_size}
        for diff_id in image.diff_ids
    ]
    config = {"mediaType": CONFIG, "digest": str(image.id), "size": size}
    return _json({"schemaVersion": 2, "mediaType": mediatypes.OCI_MANIFEST, "config": config, "layers": layers})


def _index(images: Images, written: Sequence[tuple[_Chosen, bytes]]) -> dict[str, object]:
    entries = []
    for one, manifest in written:
        descriptor = {
            "mediaType": mediatypes.OCI_MANIFEST,
            "digest": str(Digest.of(manifest)),
            "size": len(manifest),
        }
        names = [
            {"io.containerd.image.name": images.familiar(tag), "org.opencontainers.image.ref.name": tag.tag}
            for tag in one.tags
        ]
        entries += [descriptor | {"annotations": name} for name in names] or [descriptor]
    return {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": entries}


def _entry(images: Images, one: _Chosen) -> dict[str, object]:
    return {
        "Config": _place(one.image.id),
        "RepoTags": [images.familiar(tag) for tag in one.tags] or None,
        "Layers": [_place(diff_id) for diff_id in one.image.diff_ids],
    }


def _place(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
