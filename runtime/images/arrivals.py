"""Layers that arrive by another way than from a registry: unpacked, and kept in the form in which they will travel.

A plain tar is packed with gzip while it is unpacked: one pass, and what is pushed or saved later is what came.
"""

from collections.abc import Iterator

from runtime.images.compression import HEAD, Compression, Packer, Source, detect
from runtime.images.content import Content, Ingest
from runtime.images.layer import Blob, Layer
from runtime.images.layers import Layers
from storage.digest import Digest

LAYER = "application/vnd.oci.image.layer.v1.tar"
_SUFFIX = {Compression.NONE: "+gzip", Compression.GZIP: "+gzip", Compression.ZSTD: "+zstd", Compression.OTHER: ""}


def take(layers: Layers, content: Content, diff_id: Digest | None, blocks: Iterator[bytes]) -> Layer:
    """Unpack a layer and keep its bytes, compressed. Raises as `Layers.unpack`; then nothing is kept."""
    if diff_id is not None and layers.has(diff_id) and layers.blob(diff_id) is not None:
        return layers.get(diff_id)
    source = Source(blocks)
    compression = detect(source.peek(HEAD))
    with content.ingest() as ingest:
        keep = _Keeping(ingest, LAYER + _SUFFIX[compression])
        passing = (keep.packed if compression is Compression.NONE else keep.plain)(source.rest())
        layer = layers.unpack(diff_id, passing, kept=keep.blob)
        for _ in passing:  # the layer was here, and its bytes were not
            pass
        layers.remember(layer.diff_id, keep.blob())
    return layers.get(layer.diff_id)


class _Keeping:
    """Keeps a stream while it passes; its bytes are a blob before its layer appears."""

    def __init__(self, ingest: Ingest, media_type: str) -> None:
        self._ingest = ingest
        self._media_type = media_type
        self._blob: Blob | None = None

    def blob(self) -> Blob:
        """Return what was kept; commits it first."""
        if self._blob is None:
            size = self._ingest.offset
            self._blob = Blob(self._ingest.commit(), size, self._media_type)
        return self._blob

    def plain(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Keep the bytes as they are."""
        for block in blocks:
            self._ingest.write(block)
            yield block

    def packed(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Keep the bytes packed."""
        packer = Packer()
        for block in blocks:
            self._ingest.write(packer.add(block))
            yield block
        self._ingest.write(packer.end())
