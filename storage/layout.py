"""The data directory: what is in it, what makes it ours, and who may use it.

    DIR/format       the version of this layout, "1\\n"; written last when the directory is made
    DIR/lock         locked exclusively while a server runs; says its process id, and what it said of itself
    DIR/moorage.db   the catalog, when it is SQLite; beside it its -wal and -shm
    DIR/master.key   seals the signing keys in the catalog; DIR/audit.jsonl  who did what, line by line
    DIR/uploads/     DIR/blobs/     the filesystem driver's

A directory of a newer format, a foreign one and one on a network file system are refused in words that say what to do.
Knows names only: what the files hold is for those who own them.
"""

import ctypes
import fcntl
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType

from storage import durable
from storage.errors import StorageError, translating

FORMAT = 1
_OURS = frozenset({"format.new", "lock", "moorage.db", "uploads", "blobs", "master.key", "audit.jsonl", "lost+found"})
_NETWORK: Mapping[int, str] = MappingProxyType(
    {
        0x6969: "NFS",
        0x517B: "SMB",
        0xFF534D42: "CIFS",
        0xFE534D42: "SMB",
        0x00C36400: "CephFS",
        0x01021997: "9p",
        0x5346414F: "AFS",
        0x73757245: "Coda",
        0x0BD00BD0: "Lustre",
        0x01161970: "GFS2",
        0x7461636F: "OCFS2",
        0x47504653: "GPFS",
        0x19830326: "BeeGFS",
        0x786F4256: "a VirtualBox shared folder",
    }
)


class LayoutError(StorageError):
    """The directory cannot be used as a data directory; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A data directory that has been opened: its format is known and its parts are there."""

    root: Path

    @property
    def database(self) -> Path:
        """Where the catalog is, when it is SQLite."""
        return self.root / "moorage.db"

    @property
    def blobs(self) -> Path:
        """Where the filesystem driver keeps what is published."""
        return self.root / "blobs"

    @property
    def uploads(self) -> Path:
        """Where the filesystem driver keeps what is being uploaded."""
        return self.root / "uploads"

    @classmethod
    def open(cls, root: Path, *, create: bool = False) -> "Layout":
        """Open a data directory; with `create`, make what is missing.

        Raises: LayoutError if it is missing, foreign, of a newer format or on a network file system; another
                StorageError if the machine refuses.
        """
        layout = cls(root)
        with translating(str(root)):
            if create and not root.exists():
                durable.make_directory(root, next(parent for parent in root.parents if parent.exists()))
            if root.is_dir():
                _refuse_network(root)
            known = layout._has_format()
            if create:
                layout._make_parts(known)
            elif not known:
                raise LayoutError(f"{root} is not a data directory; `moorage serve --data {root}` makes one")
        return layout

    def lock(self, note: str = "") -> "DirectoryLock":
        """Take the directory for one server, which says `note`, a line, of itself.

        Raises: LayoutError if another server, named by its process id, has it.
        """
        return DirectoryLock(self.root / "lock", note)

    def served(self) -> str | None:
        """Return what the server that has the directory says of itself; None if there is none."""
        with translating(str(self.root / "lock")), suppress(FileNotFoundError):
            fd = os.open(self.root / "lock", os.O_RDONLY)
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # let go at once, with the descriptor
            except BlockingIOError:
                return _lines(fd)[1]
            finally:
                os.close(fd)
        return None

    def _has_format(self) -> bool:
        """Say whether the directory is ours; False if it carries no format at all."""
        try:
            text = (self.root / "format").read_text("ascii", "replace").strip()
        except FileNotFoundError:
            return False
        if not text.isdecimal() or int(text) < 1:
            raise LayoutError(f"{self.root / 'format'} is damaged: it should hold a number, such as {FORMAT}")
        if int(text) > FORMAT:
            raise LayoutError(
                f"{self.root} has data format {text}, and this version knows formats up to {FORMAT}; "
                "use the version of Moorage that wrote it, or a newer one"
            )
        return True

    def _make_parts(self, known: bool) -> None:
        """Make what is missing, and the format last: a directory without it is made again."""
        if not known:
            self._claim()
        for part in (self.uploads, self.blobs):
            durable.make_directory(part, self.root)
        if not known:
            self._write_format()

    def _claim(self) -> None:
        """Refuse a directory that holds other things, and make it private."""
        foreign = sorted({path.name for path in self.root.iterdir()} - _OURS)
        if foreign:
            raise LayoutError(
                f"{self.root} is neither empty nor a data directory (it holds {foreign[0]}); choose another"
            )
        with suppress(PermissionError):  # a mounted volume may belong to another user
            self.root.chmod(0o700)

    def _write_format(self) -> None:
        new = self.root / "format.new"
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            durable.write_all(fd, memoryview(f"{FORMAT}\n".encode("ascii")))
            os.fsync(fd)
        finally:
            os.close(fd)
        new.rename(self.root / "format")
        durable.sync_directory(self.root)


class DirectoryLock:
    """The exclusive right to serve a data directory, as long as one process that inherited it lives.

    The descriptor is inheritable: a worker that gets it, by fork or by number, keeps the lock even if the parent is
    killed, so that no second server starts beside a worker that is still writing.
    """

    def __init__(self, path: Path, note: str = "") -> None:
        """Take the lock, and write who has it. Raises: LayoutError; StorageError."""
        with translating(str(path)):
            self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._take(path.parent, note)
            except BaseException:
                self.release()
                raise

    def _take(self, directory: Path, note: str) -> None:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _lines(self.fd)[0] or "unknown"
            raise LayoutError(
                f"{directory} is in use by process {holder}; stop it, or choose another data directory"
            ) from None
        os.set_inheritable(self.fd, True)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n{note}\n".encode(), 0)

    def release(self) -> None:
        """Let go in this process; the lock is free when every process that inherited it has done so."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> "DirectoryLock":
        """Return the lock."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let go."""
        self.release()


def _lines(fd: int) -> tuple[str, str]:
    """Read the two lines of a lock's file; empty where they are not there."""
    first, _, rest = os.pread(fd, 4096, 0).decode("utf-8", "replace").partition("\n")
    return first.strip(), rest.partition("\n")[0]


def _refuse_network(root: Path) -> None:
    """Refuse what is known to break SQLite's locks or to lie about fsync. Raises: LayoutError; OSError."""
    name = _NETWORK.get(_filesystem_type(root))
    if name is not None:
        raise LayoutError(
            f"{root} is on a network file system ({name}), where locks and fsync cannot be relied on; put the data "
            "directory on a local disk, or use PostgreSQL and S3"
        )


def _filesystem_type(path: Path) -> int:
    """Return statfs(2)'s f_type, the first word of its structure; 0 where there is no such call."""
    if not sys.platform.startswith("linux"):
        return 0
    result = (ctypes.c_long * 32)()  # the structure has 120 bytes at most
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statfs(os.fsencode(path), result) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result[0]) & 0xFFFFFFFF
