"""Layers that somebody made to get out of their directory, to fill the disk, or to confuse whoever reads them next.

Each is a name and bytes. `REFUSED`: the layer must be refused, with a reason that holds the given words. `HARMLESS`:
it may be unpacked, and everything that comes of it lies inside. `{victim}` in a name is a directory of the host.
"""

import gzip
import tarfile
from collections.abc import Callable, Mapping

from tests.parts.images import ZSTD_BLOCK, zstd
from tests.runtime.images.tars import (
    BLOCK,
    device,
    directory,
    extended,
    file,
    hardlink,
    member,
    pax,
    raw,
    symlink,
    tar,
)

Make = Callable[[str], bytes]
"""Makes the layer's bytes, given the path of the victim's directory."""

_DEEP = "/".join(["d" * 247] * 20)
_MANY = "/".join("a" for _ in range(2000))


def _sparse(size: int, offset: int, length: int) -> bytes:
    """A file with one hole, in the form of pax 1.0 (GNU tar, "Storing Sparse Files")."""
    body = f"1\n{offset}\n{length}\n".encode().ljust(BLOCK, b"\0") + b"x" * BLOCK
    records = {
        b"GNU.sparse.major": b"1",
        b"GNU.sparse.minor": b"0",
        b"GNU.sparse.name": b"sparse",
        b"GNU.sparse.realsize": str(size).encode(),
    }
    return pax(records, file("GNUSparseFile.0/sparse", body))


def _zstd_bomb(blocks: int) -> bytes:
    """A zstd frame of run-length blocks: four bytes for 128 KiB of zeros each (RFC 8878, 3.1.1.2)."""
    header = b"\x28\xb5\x2f\xfd" + b"\x00\x58"  # a window of 2 MiB, no content size
    runs = [
        (ZSTD_BLOCK << 3 | 1 << 1 | (number == blocks - 1)).to_bytes(3, "little") + b"\0" for number in range(blocks)
    ]
    return header + b"".join(runs)


REFUSED: Mapping[str, tuple[str, Make]] = {
    "name with ..": ("leads out", lambda v: tar(file("../victim/file"))),
    "name with .. in the middle": ("leads out", lambda v: tar(file("a/../../victim/file"))),
    "name with .. that stays inside": ("leads out", lambda v: tar(file("a/../b"))),
    "directory ..": ("leads out", lambda v: tar(directory(".."))),
    "pax path with ..": ("leads out", lambda v: tar(pax({b"path": b"../victim/file"}, file("ok")))),
    "global header with a path": ("leads out", lambda v: tar(pax({b"path": b"../victim/file"}, b"", b"g"), file("f"))),
    "NUL in a pax path": ("impossible name", lambda v: tar(pax({b"path": b"a\0b"}, file("ok")))),
    "path of 5000 bytes": ("impossible name", lambda v: tar(file("a/" * 2500 + "f"))),
    "component of 300 bytes": ("too long", lambda v: tar(file("a" * 300))),
    "twenty components of 247 (CVE-2025-4517)": ("impossible name", lambda v: tar(directory(_DEEP + "/x"))),
    "link to the host, then a file below it": ("is none", lambda v: tar(symlink("l", v), file("l/file"))),
    "chain of links to the host": ("is none", lambda v: tar(symlink("a", v), symlink("b", "a"), file("b/file"))),
    "directory replaced by a link": (
        "is none",
        lambda v: tar(directory("a"), file("a/f"), symlink("a", v), file("a/file")),
    ),
    "file used as a directory": ("is none", lambda v: tar(file("a"), file("a/b"))),
    "pipe used as a directory": ("is none", lambda v: tar(member("a", tarfile.FIFOTYPE), file("a/b"))),
    "link to itself as a directory": ("is none", lambda v: tar(symlink("a", "a"), file("a/b"))),
    "hard link to the host": ("not in the layer", lambda v: tar(hardlink("h", f"{v}/file"))),
    "hard link with ..": ("leads out", lambda v: tar(hardlink("h", "../../victim/file"))),
    "pax linkpath with ..": ("leads out", lambda v: tar(pax({b"linkpath": b"../x"}, hardlink("h", "ok")))),
    "hard link through a link": ("not in the layer", lambda v: tar(symlink("l", v), hardlink("h", "l/file"))),
    "hard link to a directory": ("no file", lambda v: tar(directory("d"), hardlink("h", "d"))),
    "hard link to itself": ("to itself", lambda v: tar(file("f"), hardlink("f", "./f"))),
    "hard link to a whiteout": ("no file", lambda v: tar(file(".wh.w", b""), hardlink("h", "w"))),
    "hard link to nothing": ("not in the layer", lambda v: tar(hardlink("h", "nothing"))),
    "hard link to the root": ("not in the layer", lambda v: tar(hardlink("h", "/"))),
    "link named . (CVE-2021-29136)": ("root directory", lambda v: tar(symlink(".", v), file("file"))),
    "link named /": ("root directory", lambda v: tar(symlink("/", v), file("file"))),
    "file without a name": ("root directory", lambda v: tar(file(""))),
    "device 0:0": ("0:0", lambda v: tar(device("d", tarfile.CHRTYPE, 0, 0))),
    "whiteout of nothing": ("whiteout of", lambda v: tar(file(".wh.", b""))),
    "whiteout of .": ("whiteout of", lambda v: tar(file("a/.wh..", b""))),
    "whiteout of ..": ("whiteout of", lambda v: tar(file("a/.wh...", b""))),
    "whiteout as a directory": ("whiteout that is", lambda v: tar(file(".wh.a/b"))),
    "whiteout through a link": ("is none", lambda v: tar(symlink("l", v), file("l/.wh.file", b""))),
    "opaque mark through a link": ("is none", lambda v: tar(symlink("l", v), file("l/.wh..wh..opq", b""))),
    "symbolic link to nothing": ("links to nothing", lambda v: tar(symlink("l", ""))),
    "NUL in a link": ("links to nothing", lambda v: tar(pax({b"linkpath": b"a\0b"}, symlink("l", "x")))),
    "unknown type": ("unknown type", lambda v: tar(raw(b"x", b"Z"))),
    "part of a multi-volume archive": ("unknown type", lambda v: tar(raw(b"x", b"M"))),
    "owner -1": ("belongs to", lambda v: tar(pax({b"uid": b"-1"}, file("f")))),
    "owner 2^32-1, which chown takes for none": ("belongs to", lambda v: tar(pax({b"uid": b"4294967295"}, file("f")))),
    "owner 2^70": ("belongs to", lambda v: tar(pax({b"gid": str(2**70).encode()}, file("f")))),
    "time that is no number": ("invalid literal", lambda v: tar(pax({b"mtime": b"nan"}, file("f")))),
    "negative size": ("", lambda v: tar(raw(b"f", size=b"\xff" * 12), file("g"))),
    "negative size in pax (CVE-2025-8194)": ("", lambda v: tar(pax({b"size": b"-512"}, file("f")), file("g"))),
    "size of 2^62": ("more bytes", lambda v: tar(pax({b"size": str(2**62).encode()}, file("f")))),
    "extended header of 2 MiB": ("tar header of", lambda v: tar(extended(b"x" * 2**21), file("f"))),
    "GNU name of 2 MiB": ("tar header of", lambda v: tar(extended(b"x" * 2**21, b"L"), file("f"))),
    "extended header of 4 GiB": ("tar header of", lambda v: tar(raw(b"x", b"x", size=b"40000000000"), file("f"))),
    "three thousand extended headers in a row": ("", lambda v: tar(extended(b"") * 3000, file("f"))),
    "damaged header after a good one": ("invalid tar header", lambda v: tar(file("f"), b"x" * 512, file("g"))),
    "half a header": ("invalid tar header", lambda v: file("f") + file("g")[:300]),
    "file cut short": ("unexpected EOF", lambda v: file("f", b"x" * 5000)[:2000]),
    "no tar at all": ("invalid tar header", lambda v: b"#!/bin/sh\nrm -rf /\n" * 100),
    "hole beyond the end": ("impossible hole", lambda v: tar(_sparse(10, 2**40, 512))),
    "hole of negative length": ("impossible hole", lambda v: tar(_sparse(1024, 0, -5))),
    "sparse file of 2^60": ("more bytes", lambda v: tar(_sparse(2**60, 0, 512))),
    "file of 128 MiB in a small gzip": ("more bytes", lambda v: gzip.compress(tar(file("f", bytes(2**27))), 9)),
    "gzip bomb after the end": ("larger than the room", lambda v: gzip.compress(tar(file("f")) + bytes(2**27), 9)),
    "zstd bomb after the end": ("larger than the room", lambda v: zstd(tar(file("f"))) + _zstd_bomb(20_000)),
    "gzip cut short": ("unexpected EOF", lambda v: gzip.compress(tar(file("f", bytes(10**5))))[:-20]),
    "gzip with a wrong checksum": ("invalid gzip", lambda v: gzip.compress(tar(file("f")))[:-8] + bytes(8)),
    "zstd cut short": ("", lambda v: zstd(tar(file("f", bytes(10**6))))[:-700_000]),
    "zstd with a window of 2 GiB": ("invalid zstd", lambda v: b"\x28\xb5\x2f\xfd\x00\xa8" + bytes(100)),
    "bzip2": ("bzip2", lambda v: b"BZh91AY&SY" + bytes(100)),
    "xz": ("xz", lambda v: b"\xfd7zXZ\x00" + bytes(100)),
}

HARMLESS: Mapping[str, Make] = {
    "absolute path": lambda v: tar(file(f"{v}/file", b"changed")),
    "path with many slashes": lambda v: tar(file(f"//.//{v}/./file", b"changed")),
    "link up and out, then a file below it": lambda v: tar(symlink("l", "../../../../.."), file("l/etc/f")),
    "link to the root, then a file below it": lambda v: tar(symlink("l", "/"), file("l/etc/f")),
    "link, then a file of the same name": lambda v: tar(symlink("l", f"{v}/file"), file("l", b"changed")),
    "link, then a directory of the same name": lambda v: tar(symlink("l", v), directory("l"), file("l/file")),
    "link, then a device of the same name": lambda v: tar(symlink("l", v), device("l", tarfile.CHRTYPE, 1, 3)),
    "link, then its mode": lambda v: tar(
        symlink("l", f"{v}/file"), member("l", tarfile.SYMTYPE, linkname=v, mode=0o777)
    ),
    "hard link to a link": lambda v: tar(symlink("l", f"{v}/file"), hardlink("h", "l"), file("h", b"changed")),
    "pipe, then a file of the same name": lambda v: tar(member("p", tarfile.FIFOTYPE), file("p")),
    "file over a full directory": lambda v: tar(file("d/e/f"), file("d")),
    "directory over a file": lambda v: tar(file("d"), directory("d"), file("d/f")),
    "two thousand directories deep": lambda v: tar(file(_MANY)),
    "deeper with every link": lambda v: tar(
        directory("a/" * 900),
        symlink("l", "a/" * 900),
        directory("l/" + "a/" * 900),
        symlink("m", "l/" + "a/" * 900),
        file("m/" + "b/" * 900 + "f"),
    ),
    "whiteout of a link": lambda v: tar(symlink("l", v), file(".wh.l", b"")),
    "records of AUFS": lambda v: tar(directory(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), file(".wh..wh.aufs", b"")),
    "attributes of overlayfs": lambda v: tar(
        pax(
            {b"SCHILY.xattr.trusted.overlay.redirect": v.encode(), b"SCHILY.xattr.user.overlay.opaque": b"y"},
            directory("d"),
        ),
        pax({b"SCHILY.xattr.trusted.overlay.metacopy": b""}, file("f")),
    ),
    "attributes of the system": lambda v: tar(
        pax({b"SCHILY.xattr.security.selinux": b"x", b"SCHILY.xattr.system.posix_acl_access": b"x"}, file("f")),
    ),
    "attribute of a link": lambda v: tar(pax({b"SCHILY.xattr.user.a": b"x"}, symlink("l", f"{v}/file"))),
    "time of another age": lambda v: tar(
        pax({b"mtime": b"-1e0"[:2]}, file("f")), pax({b"mtime": b"9" * 30}, file("g"))
    ),
    "names in no encoding": lambda v: tar(pax({b"path": b"\xff\xfe"}, file("f")), raw(b"\x80\x81")),
    "no end": lambda v: file("f"),
    "nothing": lambda v: b"",
    "setuid": lambda v: tar(file("su", mode=0o6755)),
    "disk of the host": lambda v: tar(device("sda", tarfile.BLKTYPE, 8, 0)),
}
