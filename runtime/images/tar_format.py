"""Tar headers, written the one way: the same file always gives the same bytes, on every machine and Python.

pax (POSIX.1-2001) where a field does not fit, else plain ustar; no user names, whole seconds. tarfile is not used
for it, for attributes and names are bytes here and need no encoding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

BLOCK = 512
FILE, LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, PIPE = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
END = bytes(2 * BLOCK)

_PAX = b"x"
_NAME = 100
_OCTAL_7 = 8**7 - 1
_OCTAL_11 = 8**11 - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One header. `name` and `target` are bytes as the file system has them; `xattrs` by their whole names."""

    name: bytes
    kind: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


def header(entry: Entry) -> bytes:
    """Write the header blocks of an entry; its content, padded by `padding`, comes next."""
    records = {b"SCHILY.xattr." + name.encode(): value for name, value in entry.xattrs.items()}
    for key, text in ((b"path", entry.name), (b"linkpath", entry.target)):
        if len(text) > _NAME or not text.isascii():
            records[key] = text
    numbers = ((b"uid", entry.uid, _OCTAL_7), (b"gid", entry.gid, _OCTAL_7), (b"size", entry.size, _OCTAL_11))
    for key, number, limit in (*numbers, (b"mtime", entry.mtime, _OCTAL_11)):
        if number > limit:
            records[key] = b"%d" % number
    plain = _ustar(entry)
    if not records:
        return plain
    body = b"".join(_record(key, records[key]) for key in sorted(records))
    base = entry.name.rstrip(b"/").rpartition(b"/")[2]
    extended = Entry(b"PaxHeaders.0/" + base, _PAX, size=len(body))
    return _ustar(extended) + body + padding(len(body)) + plain


def padding(size: int) -> bytes:
    """Give what fills the last block of a content."""
    return bytes(-size % BLOCK)


def _ustar(entry: Entry) -> bytes:
    block = bytearray(BLOCK)
    block[0:100] = _field(entry.name)
    block[100:108] = _octal(entry.mode & 0o7777, 7)
    block[108:116] = _octal(entry.uid, 7)
    block[116:124] = _octal(entry.gid, 7)
    block[124:136] = _octal(entry.size, 11)
    block[136:148] = _octal(entry.mtime, 11)
    block[148:156] = b" " * 8
    block[156:157] = entry.kind
    block[157:257] = _field(entry.target)
    block[257:265] = b"ustar\x0000"
    block[329:337] = _octal(entry.device[0], 7)
    block[337:345] = _octal(entry.device[1], 7)
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _field(text: bytes) -> bytes:
    """Write a name as far as it fits; where it does not, a pax record says the whole."""
    ascii_only = text if text.isascii() else text.decode("latin-1").encode("ascii", "replace")
    return ascii_only[:_NAME].ljust(_NAME, b"\0")


def _octal(number: int, digits: int) -> bytes:
    return b"%0*o\0" % (digits, number if number <= 8**digits - 1 else 0)


def _record(key: bytes, value: bytes) -> bytes:
    """Write `LENGTH KEY=VALUE\\n`, where the length counts its own digits (pax, "Extended Header")."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)
