"""How layers are compressed: told by their first bytes, never by their media type, which anyone may write.

A stream is an iterator of blocks. Decompressing is bounded: a bomb costs its reader a few mebibytes at a time,
and the reader decides when it is enough. Sources: RFC 1952 (gzip), RFC 8878 (zstd).
"""

import zlib
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import zstandard

from runtime.errors import EngineError

fast_zlib: Any
try:
    from isal import isal_zlib as fast_zlib
except ImportError:  # no wheel for this processor
    fast_zlib = zlib

BLOCK = 2**20
WINDOW_LIMIT = 128 * 2**20
"""The largest zstd window that is accepted: what `zstd --long=27` makes, as containerd accepts it."""
GZIP_LEVEL = 1

HEAD = 6
_ZSTD_PIECE = 1024


class Compression(Enum):
    """How a stream is packed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    OTHER = "other"


_MAGIC = (
    (b"\x1f\x8b\x08", Compression.GZIP),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
    (b"BZh", Compression.OTHER),
    (b"\xfd7zXZ\x00", Compression.OTHER),
)


class BadCompression(EngineError):
    """The stream is damaged, cut short, or packed in a way that images do not use."""


def detect(head: bytes) -> Compression:
    """Tell how a stream is packed by its first six bytes. A zstd stream may begin with a skippable frame."""
    for magic, compression in _MAGIC:
        if head.startswith(magic):
            return compression
    skippable = len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50
    return Compression.ZSTD if skippable else Compression.NONE


def unpacked(blocks: Iterator[bytes]) -> tuple[Compression, Iterator[bytes]]:
    """Look at a stream's first bytes and give its content, in blocks of at most 1 MiB where it was compressed.

    Raises: BadCompression, at once or while the content is read.
    """
    source = Source(blocks)
    compression = detect(source.peek(HEAD))
    if compression is Compression.OTHER:
        raise BadCompression("the archive is compressed with bzip2 or xz; layers use gzip, zstd or nothing")
    reader: dict[Compression, Callable[[Source], Iterator[bytes]]] = {
        Compression.NONE: Source.rest,
        Compression.GZIP: _gunzip,
        Compression.ZSTD: _unzstd,
    }
    return compression, reader[compression](source)


class Packer:
    """Packs with gzip: no name, no time, so that the same bytes always give the same."""

    def __init__(self, level: int = GZIP_LEVEL) -> None:
        self._packer = fast_zlib.compressobj(level, wbits=31)

    def add(self, block: bytes) -> bytes:
        """Take the next bytes, and give what is packed so far."""
        return bytes(self._packer.compress(block))

    def end(self) -> bytes:
        """Give the rest."""
        return bytes(self._packer.flush())


class Source:
    """An iterator of blocks as a file that is read once, forwards, with a look ahead."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._ready = b""
        self._start = 0

    def peek(self, size: int) -> bytes:
        """Return up to `size` of the next bytes and leave them there."""
        while len(self._ready) - self._start < size and (block := next(self._blocks, None)) is not None:
            self._ready = self._ready[self._start :] + block
            self._start = 0
        return self._ready[self._start : self._start + size]

    def read(self, size: int) -> bytes:
        """Read the next bytes, at most `size`; b"" at the end."""
        while self._start == len(self._ready):
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._ready, self._start = block, 0
        data = self._ready[self._start : self._start + size]
        self._start += len(data)
        return data

    def put_back(self, data: bytes) -> None:
        """Undo the reading of `data`, which was read last."""
        self._ready = data + self._ready[self._start :]
        self._start = 0

    def rest(self) -> Iterator[bytes]:
        """Give all that is left, in the blocks that it came in."""
        if self._start < len(self._ready):
            ready, self._ready = self._ready[self._start :], b""
            self._start = 0
            yield ready
        yield from filter(None, self._blocks)


def _gunzip(source: Source) -> Iterator[bytes]:
    """Give the content of every member; zeros after the last are padding, as gzip(1) has it."""
    while head := source.peek(HEAD):
        if not head.strip(b"\0"):
            source.read(len(head))
            continue
        yield from _member(source)


def _member(source: Source) -> Iterator[bytes]:
    unpacker = fast_zlib.decompressobj(wbits=31)
    waiting = b""
    try:
        while not unpacker.eof:
            piece = waiting or source.read(BLOCK // 4)
            data = unpacker.decompress(piece, BLOCK)
            waiting = unpacker.unconsumed_tail
            if data:
                yield data
            elif not piece and not unpacker.eof:
                raise BadCompression("unexpected EOF: the gzip stream is cut short")
    except (zlib.error, fast_zlib.error) as error:
        raise BadCompression(f"invalid gzip stream: {error}") from None
    source.put_back(unpacker.unused_data)


def _unzstd(source: Source) -> Iterator[bytes]:
    """Give the content of every frame."""
    while source.peek(1):
        yield from _frame(source)


def _frame(source: Source) -> Iterator[bytes]:
    """Give one frame's content. The library says nowhere else that a frame is cut short, and bounds no output: so it
    is fed little at a time, of which a kibibyte makes 32 MiB at the most (256 blocks of 128 KiB, RFC 8878, 3.1.1.2).
    """
    unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT).decompressobj()
    ready: list[bytes] = []
    size = 0
    try:
        while not unpacker.eof:
            piece = source.read(_ZSTD_PIECE)
            if not piece:
                raise BadCompression("unexpected EOF: the zstd stream is cut short")
            ready.append(unpacker.decompress(piece))
            size += len(ready[-1])
            if size >= BLOCK:
                yield b"".join(ready)
                ready, size = [], 0
    except zstandard.ZstdError as error:
        raise BadCompression(f"invalid zstd stream: {error}") from None
    yield b"".join(ready)
    source.put_back(unpacker.unused_data)
