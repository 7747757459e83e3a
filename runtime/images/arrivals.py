"""Layers that arrive by another way than from a registry: unpacked, and kept in the form in which they will travel.

A plain tar is packed with gzip while it is unpacked: one pass, and what is pushed or saved later is what came.
"""

from collections.abc import Iterator

from runtime.images.compression import Compression, Packer, Source, detect
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
    compression = detect(source.peek(6))
    with content.ingest() as ingest:
        kept = (_packed if compression is Compression.NONE else _as_it_is)(source.rest(), ingest)
        layer = layers.unpack(diff_id, kept)
        for _ in kept:  # the layer was here, and its bytes were not
            pass
        size = ingest.offset
        digest = ingest.commit()
    layers.remember(layer.diff_id, Blob(digest, size, LAYER + _SUFFIX[compression]))
    return layers.get(layer.diff_id)


def _as_it_is(blocks: Iterator[bytes], ingest: Ingest) -> Iterator[bytes]:
    for block in blocks:
        ingest.write(block)
        yield block


def _packed(blocks: Iterator[bytes], ingest: Ingest) -> Iterator[bytes]:
    packer = Packer()
    for block in blocks:
        ingest.write(packer.add(block))
        yield block
    ingest.write(packer.end())
