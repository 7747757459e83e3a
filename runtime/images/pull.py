"""Pull: from a name to an image that is here, whole and checked. Lines are those of moby, distribution/pull_v2.go.

A registry is believed in nothing: manifests are read strictly, digests compared, sizes bounded by the disk.
"""

import logging
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from registry.client.errors import ClientError
from registry.client.registry import Registry
from registry.oci.descriptors import Descriptor
from registry.oci.names import RepositoryName, Tag
from runtime.errors import EngineError
from runtime.images import choice
from runtime.images.arriving_layer import Arrival, Source
from runtime.images.choice import Platform
from runtime.images.finding import BadImage, Finding, Found
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.neighbour import Neighbour
from runtime.images.reference import ImageReference
from runtime.images.registries import Registries, failing, pulling
from runtime.images.transfers import Inbox, Say, Transfer, Transfers, follow
from storage.digest import Digest

Feed = Callable[[Mapping[str, Any]], None]

_log = logging.getLogger(__name__)


class Puller:
    """Pulls images. Safe from any thread; pulls of the same layers are joined."""

    def __init__(
        self, images: Images, registries: Registries, *, parallel: int = 3, neighbour: Neighbour | None = None
    ) -> None:
        self._images = images
        self._registries = registries
        self._neighbour = neighbour
        self._transfers = Transfers(parallel)

    def close(self) -> None:
        """Wait for layers under way; nothing may be pulled afterwards."""
        self._transfers.close()

    def pull(
        self,
        reference: ImageReference,
        *,
        platform: str = "",
        credentials: Mapping[str, Any] | None = None,
        feed: Feed,
    ) -> Image:
        """Pull one image.

        Args:   platform: OS/ARCHITECTURE[/VARIANT], or "" for this machine's; credentials: X-Registry-Auth's.
                feed: told each line; what it raises ends the pull.
        Raises: NotFound and RegistryFailed in Docker's words; BadImage, BadParameter, BadLayer, WrongLayer.
        """
        wanted = choice.parse(platform)
        if reference.tag is None and reference.digest is None:
            reference = replace(reference, tag="latest")
        shown = self._images.familiar(reference)
        sources = self._registries.sources(reference, credentials or {})
        with ExitStack() as stack:
            for _, registry in sources:
                stack.enter_context(registry)
            for host, registry in sources[:-1]:
                try:
                    return self._pull(registry, reference, wanted, shown, feed, mirrored=True)
                except (EngineError, ClientError) as error:
                    _log.warning("mirror %s does not give %s: %s", host, shown, error)
            return self._pull(sources[-1][1], reference, wanted, shown, feed, mirrored=False)

    def pull_all(
        self, reference: ImageReference, *, platform: str = "", credentials: Mapping[str, Any] | None = None, feed: Feed
    ) -> list[Image]:
        """Pull every tag of a repository (`docker pull -a`). Raises as `pull`."""
        shown = self._images.familiar(reference)
        with failing():
            registry = self._registries.open(reference.registry, credentials or {})
        with registry, pulling(shown, shown):
            tags = registry.tags(RepositoryName.parse(reference.repository))
        found = []
        for tag in tags:
            tagged = replace(reference, tag=tag.value, digest=None)
            found.append(self.pull(tagged, platform=platform, credentials=credentials, feed=_unless_status(feed)))
        feed({"status": f"Status: Downloaded newer image for {shown}"})
        return found

    def _pull(
        self, registry: Registry, reference: ImageReference, wanted: Platform, shown: str, feed: Feed, *, mirrored: bool
    ) -> Image:
        repository = RepositoryName.parse(reference.repository)
        name = self._images.familiar(replace(reference, tag=None, digest=None))
        with pulling(shown, name):
            line = {"status": f"Pulling from {reference.repository}", "id": reference.tag or str(reference.digest)}
            meant = reference.digest or Tag.parse(reference.tag or "latest")
            found = Finding(registry, repository, wanted).find(meant, lambda: feed(line))
        neighbour = self._neighbour
        near = neighbour if neighbour and neighbour.host == reference.registry and not mirrored else None
        owner = f"pull-{secrets.token_hex(8)}"
        self._images.layers.hold(owner, found.read.diff_ids)
        try:
            self._bring(found, Source(registry, repository, near), feed)
            return self._registered(found, reference, wanted, shown, feed)
        finally:
            self._images.layers.release(owner)

    def _bring(self, found: Found, source: Source, feed: Feed) -> None:
        """Bring every layer here that is missing. Raises what failed first."""
        layers = self._images.layers
        inbox, transfers, seen = Inbox(), list[Transfer](), set[Digest]()
        missing = sum(d.size for d, i in zip(found.layers, found.read.diff_ids, strict=True) if not layers.has(i))
        _check_room(self._images, missing)
        try:
            for descriptor, diff_id in zip(found.layers, found.read.diff_ids, strict=True):
                line = {"progressDetail": {}, "id": descriptor.digest.encoded[:12]}
                if layers.has(diff_id):
                    feed(line | {"status": "Already exists"})
                elif diff_id not in seen:
                    feed(line | {"status": "Pulling fs layer"})
                    transfers.append(self._join(source, descriptor, diff_id, inbox))
                seen.add(diff_id)
            for transfer in transfers:
                if not (transfer.future.running() or transfer.future.done()):
                    feed({"status": "Waiting", "progressDetail": {}, "id": transfer.label})
            follow(transfers, inbox, feed)
        finally:
            for transfer in transfers:
                transfer.leave(inbox)

    def _join(self, source: Source, descriptor: Descriptor, diff_id: Digest, inbox: Inbox) -> Transfer:
        key = (source.registry.host, source.repository, descriptor.digest, diff_id)

        def work(say: Say) -> None:
            Arrival(self._images, source, descriptor, diff_id, say).run()

        return self._transfers.join(key, work, inbox, descriptor.digest.encoded[:12])

    def _registered(self, found: Found, reference: ImageReference, wanted: Platform, shown: str, feed: Feed) -> Image:
        names = [replace(reference, tag=None, digest=found.digest)]
        if reference.digest is None:
            names.append(reference)
        before = {name for image in self._images.all() if image.id == Digest.of(found.config) for name in image.tags}
        known = reference in before
        image = self._images.register(found.config, references=names, manifest=found.manifest.content)
        self._images.tell("pull", image.id, shown)
        feed({"status": f"Digest: {found.digest}"})
        said = "Image is up to date" if known else "Downloaded newer image"
        feed({"status": f"Status: {said} for {shown}"})
        actual = choice.of_config(found.read.document)
        if not choice.runs(actual, wanted):
            wrong = f"does not match the specified platform: wanted {wanted}, actual: {actual}"
            feed({"status": f"image with reference {shown} was found but {wrong}"})
        return image


def _check_room(images: Images, size: int) -> None:
    """Refuse what cannot fit, before a byte of it is written; unpacking has limits of its own. Raises BadImage."""
    status = os.statvfs(images.content.path(Digest.of(b"")).parent)
    free = status.f_bavail * status.f_frsize
    if size > free:
        raise BadImage(f"no space left on device: the layers have {size} bytes, and {free} are free")


def _unless_status(feed: Feed) -> Feed:
    def filtered(line: Mapping[str, Any]) -> None:
        if not str(line.get("status", "")).startswith("Status: "):
            feed(line)

    return filtered
