"""What the S3 driver remembers of an upload between two writers, as bytes that the catalog keeps without reading them.

Everything that any process needs to go on: the multipart upload and its key, the ETag of each part (all of one size),
and the object that holds what was too short for a part. Names are 16 hexadecimal digits, ETags nearly always 32; both
take half as many bytes.
"""

import re
import struct
import uuid
from dataclasses import dataclass

from storage.errors import Unavailable

_VERSION = 1
_HEAD = struct.Struct(">BI8sBHBH")  # version, part size, name, tails (0, 1), old tails, length of the id, ETags
_TAIL = struct.Struct(">8sI16s")
_HEX = re.compile(r"[0-9a-f]{32}")


def new_name() -> str:
    """Give a name that was never used."""
    return uuid.uuid4().hex[:16]


@dataclass(frozen=True, slots=True)
class Tail:
    """An object of bytes that made no part yet: its name below the upload's own, its size, its MD5 in hexadecimal."""

    name: str
    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class Session:
    """Where an upload stands.

    `name` is the key's, if there is a `multipart` upload; `old` are tails that are superseded once this is the
    catalog's word.
    """

    part_size: int
    name: str = ""
    multipart: str = ""
    etags: tuple[str, ...] = ()
    tail: Tail | None = None
    old: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.part_size * len(self.etags) + (self.tail.size if self.tail else 0)

    def encode(self) -> bytes:
        """Write it as bytes."""
        tails = [_TAIL.pack(bytes.fromhex(t.name), t.size, bytes.fromhex(t.md5)) for t in (self.tail,) if t]
        s3_upload = self.multipart.encode()
        head = _HEAD.pack(
            _VERSION,
            self.part_size,
            bytes.fromhex(self.name),
            len(tails),
            len(self.old),
            len(s3_upload),
            len(self.etags),
        )
        old = [bytes.fromhex(name) for name in self.old]
        return b"".join([head, *tails, *old, s3_upload, *map(_packed, self.etags)])

    @classmethod
    def decode(cls, data: bytes) -> "Session":
        """Read what `encode` wrote. Raises Unavailable."""
        try:
            reader = _Reader(data)
            version, part_size, name, tails, old, length, etags = _HEAD.unpack(reader.take(_HEAD.size))
            if version != _VERSION:
                raise ValueError
            found = [_TAIL.unpack(reader.take(_TAIL.size)) for _ in range(tails)]
            tail = [Tail(name.hex(), size, md5.hex()) for name, size, md5 in found]
            names = tuple(reader.take(8).hex() for _ in range(old))
            s3_upload = reader.take(length).decode()
            parts = tuple(reader.etag() for _ in range(etags))
        except ValueError:
            raise Unavailable("the upload's state is damaged or was written by another version") from None
        return cls(part_size, name.hex() if s3_upload else "", s3_upload, parts, tail[0] if tail else None, names)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int) -> bytes:
        piece = self._data[self._position : self._position + count]
        if len(piece) != count:
            raise ValueError
        self._position += count
        return piece

    def etag(self) -> str:
        length = self.take(1)[0]
        return self.take(length).decode() if length else self.take(16).hex()


def _packed(etag: str) -> bytes:
    """Write an ETag: 32 hexadecimal digits as 16 bytes after a zero, others as they are after their length."""
    if _HEX.fullmatch(etag):
        return b"\0" + bytes.fromhex(etag)
    text = etag.encode()
    return bytes([len(text)]) + text
