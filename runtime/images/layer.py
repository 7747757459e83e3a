"""One layer of an image as this machine knows it. Values only; `Layers` keeps them."""

from dataclasses import dataclass
from typing import Any

from storage.digest import Digest


@dataclass(frozen=True, slots=True)
class Blob:
    """A form in which a layer travels: the descriptor of its (compressed) tar."""

    digest: Digest
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One unpacked layer.

    `size`: bytes of its files; `tar_size`: of its uncompressed tar; `link`: its directory's short name, from the data
    root; `blobs`: the forms in which it came or went.
    """

    diff_id: Digest
    size: int
    link: str
    blobs: tuple[Blob, ...] = ()

    tar_size: int = 0

    def record(self) -> dict[str, Any]:
        """Write the layer as layer.json keeps it."""
        blobs = [{"digest": str(b.digest), "size": b.size, "mediaType": b.media_type} for b in self.blobs]
        sizes = {"size": self.size, "tarSize": self.tar_size}
        return {"diffId": str(self.diff_id), **sizes, "link": self.link, "blobs": blobs}

    @classmethod
    def read(cls, record: dict[str, Any]) -> "Layer":
        """Read layer.json. Raises: KeyError, TypeError, ValueError."""
        blobs = tuple(Blob(Digest.parse(b["digest"]), int(b["size"]), str(b["mediaType"])) for b in record["blobs"])
        sizes = int(record["size"]), int(record["tarSize"])
        return cls(Digest.parse(record["diffId"]), sizes[0], str(record["link"]), blobs, sizes[1])
