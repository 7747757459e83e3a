"""What each entry of a layer becomes in the directory that the unpacking process has locked itself into.

Part of the program that `unpack_child.py` is. Every name is checked and every object made here; a link that is in the
way is removed, never followed; whiteouts become overlayfs's own. Sources: image-spec layer.md, the kernel's
overlayfs.rst; what Docker does where they are silent (moby, pkg/archive).
"""

# ruff: noqa: PTH102, PTH101, PTH108, PTH112, PTH211  # importing pathlib would take as long as unpacking a small layer
import errno
import os
import stat
import tarfile
from collections.abc import Callable

from runtime.images.trees import remove_tree
from runtime.images.unpack_input import Input, Refused, clean, copy, copy_sparse, nanoseconds, permitted

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_RECORDS = "/.wh..wh."
_XATTR = "SCHILY.xattr."
_ID_LIMIT = 2**32 - 1


class Layer:
    """The layer as far as it is unpacked. `namespace`: `trusted.overlay.`, or `user.overlay.` without root.

    No dataclass: importing those would take a third of the time in which a small layer is unpacked.
    """

    def __init__(self, namespace: str, entries_limit: int, bytes_left: int) -> None:
        self.namespace = namespace
        self.entries_limit = entries_limit
        self.bytes_left = bytes_left
        self.size = 0
        self.entries = 0
        self.parents = {""}
        """Directories that were made or seen, so that they need not be looked at again."""
        self.times: dict[str, tuple[int, int]] = {}
        """Directories' own times, set when nothing is put into them any more, and the inodes that these are for."""

    @property
    def pardoned(self) -> tuple[int, ...]:
        """Reasons for which an attribute may be left out, as Docker leaves it out."""
        return (errno.ENOTSUP,) if self.namespace.startswith("trusted") else (errno.ENOTSUP, errno.EPERM)

    def add(self, member: tarfile.TarInfo, source: Input) -> None:
        """Make what one header asks for. Raises: Refused, OSError."""
        self.entries += 1
        if self.entries > self.entries_limit:
            raise Refused("more entries than a layer may have")
        if not (0 <= member.uid < _ID_LIMIT and 0 <= member.gid < _ID_LIMIT):
            raise Refused(f"{member.name!r} belongs to user {member.uid} and group {member.gid}")
        path = clean(member.name)
        if _RECORDS in f"/{path}" and not path.endswith(_OPAQUE):
            return  # AUFS's own records, which mean nothing here
        parent, _, name = path.rpartition("/")
        if parent not in self.parents:
            self.make_parents(parent)
        if name.startswith(_WHITEOUT):
            self.white_out(parent, path, name)
            return
        maker = _MAKERS.get(member.type)
        if maker is None:
            raise Refused(f"an entry of unknown type {member.type!r}")
        if not path and not member.isdir():
            raise Refused("the root directory is no directory")
        maker(self, path, member, source)

    def make_parents(self, path: str) -> None:
        """See to it that a directory is there; a link to one inside the layer is followed, inside the chroot."""
        end = -1
        while end != len(path):
            end = path.find("/", end + 1)
            end = len(path) if end < 0 else end
            if path[:end] not in self.parents:
                self.make_parent(path[:end])

    def make_parent(self, path: str) -> None:
        """See to it that a directory is there whose own parent is."""
        if path.rpartition("/")[2].startswith(_WHITEOUT):
            raise Refused(f"a whiteout that is a directory: {path!r}")
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            if _is_whiteout(os.lstat(path)):
                os.unlink(path)
                os.mkdir(path, 0o755)
                self.hide_all(path)
            elif not os.path.isdir(path):
                raise Refused(f"{path!r} is used as a directory and is none") from None
        self.parents.add(path)

    def white_out(self, parent: str, path: str, name: str) -> None:
        """Hide a name of the layers below, or all that a directory has there (layer.md, "Whiteouts")."""
        if name == _OPAQUE:
            self.hide_all(parent or "/")
            return
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in ("", ".", ".."):
            raise Refused(f"a whiteout of {hidden!r}")
        target = f"{parent}/{hidden}" if parent else hidden
        try:
            os.mknod(target, stat.S_IFCHR, os.makedev(0, 0))
        except FileExistsError:  # it hides what is below, not what this layer has itself
            if stat.S_ISDIR(os.lstat(target).st_mode):
                self.hide_all(target)

    def hide_all(self, path: str) -> None:
        """Make a directory opaque."""
        os.setxattr(path, self.namespace + "opaque", b"y", follow_symlinks=False)

    def make_room(self, path: str) -> None:
        """Remove what an earlier entry made under a name. Links are removed, never followed."""
        kind = stat.S_IFMT(os.lstat(path).st_mode)
        if kind == stat.S_IFDIR:
            remove_tree(path)
        else:
            os.unlink(path)
        if kind in (stat.S_IFDIR, stat.S_IFLNK):
            self.parents = {""}

    def directory(self, path: str, member: tarfile.TarInfo, _: Input) -> None:
        """Make a directory, or change the one that is there, the root among them."""
        path = path or "/"
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            status = os.lstat(path)
            if not stat.S_ISDIR(status.st_mode):
                self.make_room(path)
                os.mkdir(path, 0o700)
            if _is_whiteout(status):
                self.hide_all(path)
        if path != "/":
            self.parents.add(path)
        self.dress(path, member)
        self.times[path] = (nanoseconds(member), os.lstat(path).st_ino)

    def file(self, path: str, member: tarfile.TarInfo, source: Input) -> None:
        """Make a file with its content."""
        self.bytes_left -= member.size
        if member.size < 0 or self.bytes_left < 0:
            raise Refused("more bytes than a layer may have")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        mode = member.mode & 0o7777
        fd = self.made(path, lambda: os.open(path, flags, mode))
        try:
            if member.sparse is None:
                copy(source, fd, member.size)
            else:
                copy_sparse(source, fd, member)
            if member.uid or member.gid:
                os.fchown(fd, member.uid, member.gid)
                if mode & 0o6000:
                    os.fchmod(fd, mode)  # chown takes these bits away
            if member.pax_headers:
                self.label(fd, member)
            moment = nanoseconds(member)
            os.utime(fd, ns=(moment, moment))
        finally:
            os.close(fd)
        self.size += member.size

    def symlink(self, path: str, member: tarfile.TarInfo, _: Input) -> None:
        """Make a symbolic link; where it leads is the business of who follows it, in the container."""
        if not member.linkname or "\0" in member.linkname:
            raise Refused(f"{path!r} links to nothing")
        self.made(path, lambda: os.symlink(member.linkname, path))
        self.dress(path, member)
        self.stamp(path, member)

    def hardlink(self, path: str, member: tarfile.TarInfo, _: Input) -> None:
        """Give another name to a file of this layer."""
        target = clean(member.linkname)
        if target == path:
            raise Refused(f"{path!r} is a hard link to itself")
        try:
            status = os.lstat(target)
        except FileNotFoundError:
            raise Refused(f"{path!r} is a hard link to {target!r}, which is not in the layer") from None
        if stat.S_ISDIR(status.st_mode) or _is_whiteout(status):
            raise Refused(f"{path!r} is a hard link to {target!r}, which is no file")
        self.made(path, lambda: os.link(target, path, follow_symlinks=False))

    def node(self, path: str, member: tarfile.TarInfo, _: Input) -> None:
        """Make a device or a pipe; what a container may do with a device is decided by its cgroup."""
        kind = {tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}[
            member.type
        ]
        device = 0
        if kind != stat.S_IFIFO:
            device = os.makedev(member.devmajor, member.devminor)
            if kind == stat.S_IFCHR and device == 0:
                raise Refused(f"{path!r} is device 0:0, which overlayfs takes for a whiteout")
        try:
            self.made(path, lambda: os.mknod(path, kind | (member.mode & 0o7777), device))
        except PermissionError:
            if self.namespace.startswith("trusted") or kind == stat.S_IFIFO:
                raise
            return  # an ordinary user's engine makes no devices, as rootless Docker makes none
        self.dress(path, member)
        self.stamp(path, member)

    def made(self, path: str, make: Callable[[], int | None]) -> int:
        """Make something at a path, in the place of what is there."""
        try:
            return make() or 0
        except FileExistsError:
            self.make_room(path)
            return make() or 0

    def dress(self, path: str, member: tarfile.TarInfo) -> None:
        """Give owner, mode and attributes, in this order: each takes away what comes after it."""
        os.chown(path, member.uid, member.gid, follow_symlinks=False)
        if not member.issym():
            os.chmod(path, member.mode & 0o7777)
        if member.pax_headers:
            self.label(path, member)

    def label(self, target: str | int, member: tarfile.TarInfo) -> None:
        """Give the extended attributes that a layer may have: capabilities, and the user's own but overlayfs's."""
        for key, value in member.pax_headers.items():
            name = key.removeprefix(_XATTR)
            if (
                name == key
                or not permitted(name)
                or (name.startswith("user.") and not (member.isreg() or member.isdir()))
            ):
                continue
            data = value.encode("utf-8", "surrogateescape")
            try:
                os.setxattr(target, name, data, follow_symlinks=isinstance(target, int))
            except OSError as error:
                if error.errno not in self.pardoned:
                    raise

    def stamp(self, path: str, member: tarfile.TarInfo) -> None:
        """Give the time of last change."""
        moment = nanoseconds(member)
        os.utime(path, ns=(moment, moment), follow_symlinks=False)

    def finish(self) -> None:
        """Give directories their times, now that nothing changes in them."""
        for path, (moment, inode) in self.times.items():
            try:
                if os.lstat(path).st_ino == inode:
                    os.utime(path, ns=(moment, moment), follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                continue  # a later entry took its place


_MAKERS: dict[bytes, Callable[[Layer, str, tarfile.TarInfo, Input], None]] = {
    tarfile.REGTYPE: Layer.file,
    tarfile.AREGTYPE: Layer.file,
    tarfile.CONTTYPE: Layer.file,
    tarfile.GNUTYPE_SPARSE: Layer.file,
    tarfile.DIRTYPE: Layer.directory,
    tarfile.SYMTYPE: Layer.symlink,
    tarfile.LNKTYPE: Layer.hardlink,
    tarfile.CHRTYPE: Layer.node,
    tarfile.BLKTYPE: Layer.node,
    tarfile.FIFOTYPE: Layer.node,
}


def _is_whiteout(status: os.stat_result) -> bool:
    """Tell whether something is a whiteout; devices 0:0 that an archive brings itself are refused."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
