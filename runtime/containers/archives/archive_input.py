"""The tar that a client sends, whatever it is packed with: gzip and zstd as layers are, bzip2 and xz besides.

Source: Engine API, PUT /containers/(id)/archive. Unpacking is bounded by the block: a bomb costs one block at a time.
"""

import bz2
import lzma
from collections.abc import Callable, Iterator

from runtime.errors import BadParameter
from runtime.images.compression import Source, unpacked

BLOCK = 2**20
MEMORY_LIMIT = 128 * 2**20
"""What xz may take: `xz -9` needs 65 MiB."""

Unpacker = bz2.BZ2Decompressor | lzma.LZMADecompressor

_MORE: tuple[tuple[bytes, Callable[[], Unpacker]], ...] = (
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_LIMIT)),
)


def plain(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Give the content of a stream. Raises: BadParameter or BadCompression where it is damaged."""
    source = Source(blocks)
    head = source.peek(6)
    make = next((make for magic, make in _MORE if head.startswith(magic)), None)
    return unpacked(source.rest())[1] if make is None else _unpack(source, make)


def _unpack(source: Source, make: Callable[[], Unpacker]) -> Iterator[bytes]:
    """Unpack one stream after the other, as bzip2(1) and xz(1) take them."""
    try:
        while source.peek(1):
            unpacker = make()
            while not unpacker.eof:
                piece = source.read(BLOCK) if unpacker.needs_input else b""
                if unpacker.needs_input and not piece:
                    raise BadParameter("the archive is cut short: unexpected EOF")
                yield unpacker.decompress(piece, BLOCK)
            source.put_back(unpacker.unused_data)
    except (OSError, lzma.LZMAError) as error:
        raise BadParameter(f"the archive is damaged: {error}") from None
