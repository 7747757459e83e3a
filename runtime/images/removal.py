"""Removing images and the layers that no image needs any more. Rules and sentences are Docker's (moby, daemon/images).

An image that a container was made of is not removed from under it: a running one forbids it, a stopped one unless it is
forced. Layers go when no image has them and nobody holds them.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from runtime.errors import Conflict
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.listing import FILTERS, Filters, check, is_dangling, listed, truth
from runtime.images.reference import ImageReference
from storage.digest import Digest

LEFT_ALONE = 86400.0
"""Seconds for which content that nothing names is kept: a pull that is under way, or goes on tomorrow, wants it."""

_SHORT = 12
_PRUNED_BY = FILTERS - {"reference", "before", "since"}


@dataclass(frozen=True, slots=True)
class User:
    """A container that was made of an image."""

    id: str
    running: bool


Users = Callable[[Digest], Iterable[User]]
"""Tells which containers were made of an image."""


@dataclass(frozen=True, slots=True)
class Removed:
    """One step of a removal: a name taken away, or content gone."""

    untagged: str = ""
    deleted: str = ""

    def document(self) -> dict[str, str]:
        """Write the step as the Engine API does."""
        return {"Untagged": self.untagged} if self.untagged else {"Deleted": self.deleted}


class Removal:
    """Removes images. Safe from any thread."""

    def __init__(self, images: Images, users: Users) -> None:
        self._images = images
        self._users = users

    def remove(self, text: str, *, force: bool = False) -> list[Removed]:
        """Remove a name, and with an image's last name the image.

        Raises: NotFound; Conflict, where containers or further names are in the way.
        """
        with self._images.lock:
            image = self._images.resolve(text)
            if _is_id(image.id, text):
                return self._by_id(image, force)
            return self._by_name(image, text, force)

    def prune(self, filters: Filters) -> tuple[list[Removed], int]:
        """Remove images that no container was made of: those without a tag, or with `dangling=false` all of them.

        Returns: the steps, and the bytes that this gave back. Raises BadParameter for a filter that is not known.
        """
        check(filters, _PRUNED_BY)
        only_dangling = truth("dangling", filters.get("dangling", ["true"]))
        chosen = {name: values for name, values in filters.items() if name != "dangling"}
        steps: list[Removed] = []
        with self._images.lock:
            before = self._kept()
            for image in listed(self._images, chosen):
                if (is_dangling(image) or not only_dangling) and not list(self._users(image.id)):
                    steps += self._untag(image, (*image.tags, *image.digests))
                    steps += self._delete(self._images.get(image.id))
            steps += self._sweep()
            return steps, before - self._kept()

    def sweep(self) -> list[Removed]:
        """Remove layers and blobs that belong to no image: what broken-off pulls and a killed engine left."""
        with self._images.lock:
            return self._sweep()

    def _by_name(self, image: Image, text: str, force: bool) -> list[Removed]:
        users = list(self._users(image.id))
        if users and not force and _is_single(image):
            raise Conflict(
                f'conflict: unable to remove repository reference "{text}" (must force) - container'
                f" {users[0].id[:_SHORT]} is using its referenced image {_short(image.id)}"
            )
        reference = self._images.named(text)
        steps = self._untag(image, (reference,))
        image = self._images.get(image.id)
        if not any(tag.registry == reference.registry and tag.repository == reference.repository for tag in image.tags):
            digests = [
                d for d in image.digests if (d.registry, d.repository) == (reference.registry, reference.repository)
            ]
            steps += self._untag(image, digests)
            image = self._images.get(image.id)
        if image.tags or image.digests or any(user.running for user in users):
            return steps  # a running container keeps the image, without a name
        return steps + self._delete(image)

    def _by_id(self, image: Image, force: bool) -> list[Removed]:
        users = list(self._users(image.id))
        for user in users:
            if user.running:
                raise _conflict(
                    image, "cannot be forced", f"image is being used by running container {user.id[:_SHORT]}"
                )
        if not force and not _is_single(image):
            raise _conflict(image, "must be forced", "image is referenced in multiple repositories")
        if users and not force:
            raise _conflict(image, "must be forced", f"image is being used by stopped container {users[0].id[:_SHORT]}")
        steps = self._untag(image, (*image.tags, *image.digests))
        return steps + self._delete(self._images.get(image.id))

    def _untag(self, image: Image, references: Sequence[ImageReference]) -> list[Removed]:
        for reference in references:
            self._images.untag(reference)
            self._images.tell("untag", image.id)
        return [Removed(untagged=self._images.familiar(reference)) for reference in references]

    def _delete(self, image: Image) -> list[Removed]:
        """Forget an image and remove the layers that were its alone, the topmost first."""
        self._images.tell("delete", image.id)
        self._images.forget(image.id)
        needed = {diff_id for other in self._images.all() for diff_id in other.diff_ids}
        steps = [Removed(deleted=str(image.id))]
        for diff_id in dict.fromkeys(reversed(image.diff_ids)):
            if diff_id not in needed and self._remove_layer(diff_id):
                steps.append(Removed(deleted=str(diff_id)))
        return steps

    def _remove_layer(self, diff_id: Digest) -> bool:
        layer = self._images.layers.remove(diff_id)
        if layer is None:
            return False
        for blob in layer.blobs:
            self._images.content.remove(blob.digest)
        return True

    def _sweep(self) -> list[Removed]:
        images = self._images.all()
        needed = {diff_id for image in images for diff_id in image.diff_ids}
        steps = []
        for layer in self._images.layers.all():
            is_old = time.time() - self._images.layers.came(layer.diff_id) > LEFT_ALONE
            if layer.diff_id not in needed and is_old and self._remove_layer(layer.diff_id):
                steps.append(Removed(deleted=str(layer.diff_id)))
        kept = {blob.digest for layer in self._images.layers.all() for blob in layer.blobs}
        kept |= {digest for image in images for digest in (image.id, image.manifest) if digest is not None}
        for digest, came in self._images.content.digests():
            if digest not in kept and time.time() - came > LEFT_ALONE:
                self._images.content.remove(digest)
        return steps

    def _kept(self) -> int:
        return self._images.content.total() + sum(layer.size for layer in self._images.layers.all())


def _is_single(image: Image) -> bool:
    """Tell whether at most one tag means the image, and all its names are of one repository."""
    repositories = {(name.registry, name.repository) for name in (*image.tags, *image.digests)}
    return len(image.tags) <= 1 and len(repositories) <= 1


def _is_id(image_id: Digest, text: str) -> bool:
    return str(image_id).startswith(text) or image_id.encoded.startswith(text)


def _conflict(image: Image, force: str, reason: str) -> Conflict:
    return Conflict(f"conflict: unable to delete {_short(image.id)} ({force}) - {reason}")


def _short(image_id: Digest) -> str:
    return image_id.encoded[:_SHORT]
