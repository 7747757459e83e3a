"""A tar as the unpacking process reads it: once, forwards, with bounded headers, and damage told apart from the end.

Part of the program that `unpack_child.py` is: imports nothing of ours but its neighbours. Sources: tar(5), and Go's
archive/tar where formats leave it open, for that is what wrote most layers.
"""

import os
import tarfile
from typing import Any

BLOCK = 2**20
HEADER_LIMIT = 2**20
"""Bytes of one extended header (pax or GNU long name); Go's archive/tar has the same limit."""
PATH_LIMIT = 4095
LATEST = 2**33 * 10**9
"""Times past the year 2242 become this one; negative ones 1970, as Docker has them."""


class Refused(Exception):
    """The archive asks for something that no layer may have; the message says what."""


_END = (tarfile.EOFHeaderError, tarfile.EmptyHeaderError)  # type: ignore[attr-defined]  # in tarfile since 2009


class Input:
    """The tar, read once and forwards; it is a file as far as tarfile needs one."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = memoryview(bytearray(BLOCK))
        self._start = self._end = 0
        self._position = 0

    def tell(self) -> int:
        """Return how much was read."""
        return self._position

    def seek(self, position: int) -> None:
        """Skip forwards. Raises Refused where a size that is negative would lead back."""
        if position < self._position:
            raise Refused("invalid tar header: it leads backwards")
        while self._position < position:
            if not self.take(position - self._position):
                raise Refused("unexpected EOF")

    def take(self, limit: int) -> memoryview:
        """Return up to `limit` of the next bytes without copying; valid until the next call."""
        if self._start == self._end:
            self._start, self._end = 0, os.readv(self._fd, [self._buffer])
        start = self._start
        self._start = min(self._end, start + limit)
        self._position += self._start - start
        return self._buffer[start : self._start]

    def read(self, size: int) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        if size > HEADER_LIMIT:
            raise Refused(f"a tar header of {size} bytes")
        data = bytes(self.take(size)) if size > 0 else b""
        while len(data) < size and (more := self.take(size - len(data))):
            data += more
        return data


class Header(tarfile.TarInfo):
    """A header whose damage is said. tarfile takes a damaged one for the archive's end, and others would read on."""

    __slots__ = ()

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> "Header":
        """Read the next header. Raises Refused."""
        try:
            return super().fromtarfile(tar)
        except _END:
            raise _END[0]("the end, marked or not") from None
        except tarfile.HeaderError as error:
            raise Refused(f"invalid tar header: {error}") from None


def clean(name: str) -> str:
    """Return a name as a path below the root, "" for the root itself. Raises Refused where it may lead out of it."""
    if "\0" in name or len(name) > PATH_LIMIT:
        raise Refused(f"an impossible name: {name[:64]!r}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Refused(f"{name!r} leads out of the layer")
    return "/".join(parts)


def nanoseconds(member: tarfile.TarInfo) -> int:
    """Return the time of last change in nanoseconds since 1970. Raises ValueError, OverflowError."""
    exact = member.pax_headers.get("mtime")
    if exact is None:
        moment = int(member.mtime) * 10**9
    else:
        seconds, _, fraction = exact.partition(".")
        moment = int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0") if fraction else 0)
    return min(max(moment, 0), LATEST)


def copy(source: Input, fd: int, size: int) -> None:
    """Copy the next bytes into a file. Raises: Refused where the archive ends before; OSError."""
    while size > 0:
        block = source.take(size)
        if not block:
            raise Refused("unexpected EOF")
        size -= len(block)
        while block:
            block = block[os.write(fd, block) :]


def copy_sparse(source: Input, fd: int, member: tarfile.TarInfo) -> None:
    """Copy what a sparse file has between its holes (GNU tar, "Storing Sparse Files")."""
    holes: Any = member.sparse  # a list of pairs, whatever typeshed says
    for offset, length in holes:
        if offset < 0 or length < 0 or offset + length > member.size:
            raise Refused(f"{member.name!r} has an impossible hole")
        os.lseek(fd, offset, os.SEEK_SET)
        copy(source, fd, length)
    os.ftruncate(fd, member.size)


def permitted(attribute: str) -> bool:
    """Tell whether a layer may set an attribute: never overlayfs's, which would lead it to other layers' files."""
    return attribute == "security.capability" or (
        attribute.startswith("user.") and not attribute.startswith("user.overlay.")
    )
