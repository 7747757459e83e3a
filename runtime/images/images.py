"""The images of this machine: which there are and what they are called.

An image is its configuration, and its id that configuration's digest; its layers are `Layers`' and its bytes
`Content`'s. Names and digests are kept in one record. Sentences are Docker's (moby, daemon/images).
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime import records
from runtime.errors import BadParameter, EngineError, NotFound
from runtime.events import Event, Events
from runtime.images import configuration
from runtime.images.configuration import Configuration
from runtime.images.content import Content
from runtime.images.image import Image
from runtime.images.layers import Layers
from runtime.images.reference import ImageReference, parse
from storage.digest import Digest, InvalidDigest

MANIFEST_LIMIT = 4 * 2**20
_HEX = frozenset("0123456789abcdef")

_log = logging.getLogger(__name__)


class Images:
    """The images below one data root. Safe from any thread.

    `default_registry`: whose names are written without it.
    """

    def __init__(self, data: Path, content: Content, layers: Layers, events: Events, default_registry: str) -> None:
        self.content = content
        self.layers = layers
        self.events = events
        self.default_registry = default_registry
        self.lock = threading.RLock()
        """Held while names and images change; who removes things takes it as well (`removal`)."""
        self._file = data / "images.json"
        self._images: dict[Digest, Image] = {}
        self._load()

    def parse(self, text: str) -> ImageReference:
        """Read a reference as this engine's users write one. Raises BadParameter."""
        return parse(text, self.default_registry)

    def familiar(self, reference: ImageReference) -> str:
        """Write a reference as this engine's users do."""
        return reference.familiar(self.default_registry)

    def all(self) -> tuple[Image, ...]:
        """Give every image, the newest first."""
        with self.lock:
            return tuple(sorted(self._images.values(), key=lambda image: image.created, reverse=True))

    def get(self, image_id: Digest) -> Image:
        """Find an image by its whole id. Raises NotFound."""
        try:
            return self._images[image_id]
        except KeyError:
            raise NotFound(f"No such image: {image_id}") from None

    def resolve(self, text: str) -> Image:
        """Find an image by name, by digest, or by its id or the beginning of it that no other has.

        A name goes before an id. Raises: NotFound "No such image: X"; BadParameter where it can be neither.
        """
        whole = _whole_id(text)
        if whole is not None:
            return self.get(whole)
        try:
            reference = self.parse(text)
        except BadParameter:
            reference = None
        with self.lock:
            found = self._named(reference) if reference else None
            found = found or self._begun(text)
        if found is None and reference is None:
            raise BadParameter("invalid reference format")
        if found is None:
            raise NotFound(f"No such image: {self.familiar(_tagged(reference)) if reference else text}")
        return found

    def named(self, text: str) -> ImageReference:
        """Read a reference and give the name that an image has by it. Raises: BadParameter, NotFound."""
        reference = self.parse(text)
        wanted = _wanted(reference)
        with self.lock:
            if self._named(reference) is None:
                raise NotFound(f"No such image: {self.familiar(_tagged(reference))}")
        return wanted

    def tagged(self, text: str) -> list[tuple[Image, ImageReference]]:
        """Find every tag of a repository, where the text names one and no tag or digest; else nothing."""
        try:
            wanted = self.parse(text)
        except BadParameter:
            return []
        if wanted.tag or wanted.digest:
            return []
        with self.lock:
            return [(i, tag) for i in self._images.values() for tag in i.tags if replace(tag, tag=None) == wanted]

    def register(
        self,
        config: bytes,
        *,
        references: Sequence[ImageReference] = (),
        manifest: bytes | None = None,
    ) -> Image:
        """Make an image known whose layers are all here; an image that is known gets the further names.

        Args:   references: tags to move to it, and digests under which it was pulled.
                manifest: the bytes it came with, which are kept to be pushed again.
        Raises: BadConfiguration; NotFound where a layer is missing.
        """
        read = configuration.read(config)
        with self._changing():
            image = self._made(Digest.of(config), read)
            self.content.add(config)
            if manifest is not None:
                image = replace(image, manifest=self.content.add(manifest))
            self._images[image.id] = image
            for reference in references:
                self._point(_wanted(reference), image.id)
        return self.get(image.id)

    def tag(self, image_id: Digest, reference: ImageReference) -> None:
        """Give an image one more name, and take it from the image that had it. Raises: NotFound, BadParameter."""
        if reference.digest is not None:
            raise BadParameter("refusing to create a tag with a digest reference")
        reference = _tagged(reference)
        with self._changing():
            self.get(image_id)
            self._point(reference, image_id)
        self.tell("tag", image_id, self.familiar(reference))

    def untag(self, reference: ImageReference) -> None:
        """Take a tag or a digest from the image that has it; nothing else is removed."""
        with self._changing():
            for image in tuple(self._images.values()):
                self._images[image.id] = _without(image, reference)

    def forget(self, image_id: Digest) -> Image:
        """Make an image unknown and remove its configuration and manifest; layers are `removal`'s. Raises NotFound."""
        image = self.get(image_id)
        with self._changing():
            self._images.pop(image_id, None)
        with self.lock:
            for digest in (image.manifest, image.id):
                if digest is not None and not any(digest == other.manifest for other in self._images.values()):
                    self.content.remove(digest)
        return image

    def tell(self, action: str, image_id: Digest, name: str = "") -> None:
        """Publish an event of an image; `name` where it concerns one of its names."""
        image = self._images.get(image_id)
        labels = dict(image.labels) if image else {}
        self.events.publish(Event("image", action, str(image_id), labels | {"name": name or str(image_id)}))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let images change, and write them down; where either fails, nothing has changed."""
        with self.lock:
            before = dict(self._images)
            try:
                yield
                if self._images != before:
                    self._save()
            except BaseException:
                self._images = before
                raise

    def _made(self, image_id: Digest, read: Configuration) -> Image:
        size = sum(self.layers.get(diff_id).size for diff_id in read.diff_ids)
        known = self._images.get(image_id)
        if known is not None:
            return known
        return Image(image_id, read.document, read.diff_ids, size, read.created)

    def _point(self, reference: ImageReference, image_id: Digest) -> None:
        for image in tuple(self._images.values()):
            self._images[image.id] = _without(image, reference)
        image = self._images[image_id]
        if reference.digest is None:
            image = replace(image, tags=(*image.tags, reference), tagged=time.time_ns())
        else:
            image = replace(image, digests=(*image.digests, reference))
        self._images[image_id] = image

    def _named(self, reference: ImageReference) -> Image | None:
        """Find the image that a name or a digest means now; a digest goes before the tag beside it."""
        wanted = _wanted(reference)
        for image in self._images.values():
            if wanted in image.tags or wanted in image.digests:
                return image
        return None

    def _begun(self, text: str) -> Image | None:
        """Find the image whose id begins with a text, with or without the algorithm."""
        beginning = text.removeprefix("sha256:")
        if not beginning or not _HEX.issuperset(beginning):
            return None
        found = [image for image in self._images.values() if image.id.encoded.startswith(beginning)]
        return found[0] if len(found) == 1 else None

    def _save(self) -> None:
        written = [
            {
                "id": str(image.id),
                "size": image.size,
                "tags": [str(tag) for tag in image.tags],
                "digests": [str(digest) for digest in image.digests],
                "manifest": str(image.manifest) if image.manifest else None,
                "tagged": image.tagged,
            }
            for image in self._images.values()
        ]
        records.save(self._file, {"images": written})

    def _load(self) -> None:
        try:
            written = records.load(self._file)["images"]
        except FileNotFoundError:
            return
        for record in written:
            try:
                image = self._read(record)
            except (EngineError, ValueError, KeyError) as error:
                _log.warning("image %s is dropped and has to be pulled again: %s", record.get("id"), error)
                continue
            self._images[image.id] = image

    def _read(self, record: Mapping[str, Any]) -> Image:
        image_id = Digest.parse(record["id"])
        read = configuration.read(self.content.read(image_id, configuration.LIMIT))
        return Image(
            id=image_id,
            config=read.document,
            diff_ids=read.diff_ids,
            size=record["size"],
            created=read.created,
            tags=tuple(self.parse(tag) for tag in record["tags"]),
            digests=tuple(self.parse(digest) for digest in record["digests"]),
            manifest=Digest.parse(record["manifest"]) if record["manifest"] else None,
            tagged=record["tagged"],
        )


def _without(image: Image, reference: ImageReference) -> Image:
    if reference not in image.tags and reference not in image.digests:
        return image
    return replace(
        image,
        tags=tuple(tag for tag in image.tags if tag != reference),
        digests=tuple(digest for digest in image.digests if digest != reference),
    )


def _tagged(reference: ImageReference) -> ImageReference:
    """Give a reference the tag that it means when it names none."""
    return reference if reference.tag or reference.digest else replace(reference, tag="latest")


def _wanted(reference: ImageReference) -> ImageReference:
    """Give the name that a reference means: a digest goes before the tag beside it, and no tag is `latest`."""
    return replace(reference, tag=None) if reference.digest is not None else _tagged(reference)


def _whole_id(text: str) -> Digest | None:
    """Read an image's whole id, with or without its algorithm; None where the text is something else."""
    try:
        return Digest.parse(text if ":" in text else f"sha256:{text}")
    except InvalidDigest:
        return None
