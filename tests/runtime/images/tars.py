"""Tars byte by byte, for what no honest program writes. Headers are ustar; what a test names is written as it is."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any

BLOCK = 512
END = bytes(2 * BLOCK)


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **fields: Any) -> bytes:
    """One entry as tarfile writes it in pax format; `fields` are TarInfo's."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    header = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    return header + content + bytes(-len(content) % BLOCK)


def file(name: str, content: bytes = b"content", **fields: Any) -> bytes:
    """A regular file."""
    return member(name, content=content, **fields)


def directory(name: str, **fields: Any) -> bytes:
    """A directory."""
    return member(name, tarfile.DIRTYPE, mode=0o755, **fields)


def symlink(name: str, target: str) -> bytes:
    """A symbolic link."""
    return member(name, tarfile.SYMTYPE, linkname=target)


def hardlink(name: str, target: str) -> bytes:
    """A further name of a file."""
    return member(name, tarfile.LNKTYPE, linkname=target)


def device(name: str, kind: bytes, major: int, minor: int) -> bytes:
    """A device."""
    return member(name, kind, devmajor=major, devminor=minor)


def pax(records: Mapping[bytes, bytes], then: bytes, kind: bytes = b"x") -> bytes:
    """An extended header of raw records before an entry."""
    return extended(b"".join(record(key, value) for key, value in records.items()), kind) + then


def record(key: bytes, value: bytes) -> bytes:
    """One pax record, whose length counts itself."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def extended(body: bytes, kind: bytes = b"x") -> bytes:
    """An extended header with any body."""
    return raw(b"././@PaxHeader", kind, size=b"%011o" % len(body)) + body + bytes(-len(body) % BLOCK)


def raw(name: bytes, kind: bytes = b"0", *, size: bytes = b"0" * 11, **fields: bytes) -> bytes:
    """A header block of raw fields with a right checksum."""
    block = bytearray(BLOCK)
    places = {"mode": 100, "uid": 108, "gid": 116, "mtime": 136, "linkname": 157, "devmajor": 329, "devminor": 337}
    block[0 : len(name)] = name
    block[100:107] = b"0000644"
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    for field, value in fields.items():
        block[places[field] : places[field] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def tar(*members: bytes) -> bytes:
    """A whole archive."""
    return b"".join(members) + END


def blocks(data: bytes, size: int = 2**16) -> Iterable[bytes]:
    """The bytes in pieces, as they come from a network."""
    stream = io.BytesIO(data)
    while piece := stream.read(size):
        yield piece
