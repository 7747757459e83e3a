"""A process locks itself into a container's file system: mounts of its own, chroot, and hardly a capability left.

Part of the program that `archive_child.py` is: imports nothing of ours. What the container has mounted is put in place
after the chroot, so that a link in its image, or one that it makes at this moment, can lead a mount only to another
place inside (as GHSA-rg2x-37c3-w2rh of moby did to the host). Devices cannot be opened in there.
Sources: mount_setattr(2), open_tree(2), move_mount(2); Linux 5.12.
"""

# ruff: noqa: PTH103, PTH116  # importing pathlib would take as long as copying a small file
import ctypes
import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # on every architecture
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH = 0x1, 0x4
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 0x1, 0x2, 0x4
_MS_REC, _MS_PRIVATE, _MS_SLAVE = 0x4000, 1 << 18, 1 << 19
_CLONE_NEWNS = 0x00020000
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_KEPT = (0, 1, 3, 4, 27, 31)
"""CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD, SETFCAP (capabilities(7)): what files' owners, modes and kinds need."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Something of the host that the container has at `destination`."""

    source: str
    destination: str
    read_only: bool


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def enter(root: str, binds: Iterable[Bind], *, read_only: bool, mounted: bool) -> None:
    """Make `root`, with what is bound into it, this process's root directory. Raises OSError; end the process then.

    `mounted`: it is to be a mount of its own; without one, writing there would be writing to the host.
    """
    library = ctypes.CDLL(None, use_errno=True)
    trees = [(_tree(library, bind.source, bind.read_only), bind) for bind in binds]
    own = _tree(library, root, False)
    if mounted and os.fstat(own).st_dev == os.stat(f"{root}/..").st_dev:
        raise OSError(errno.ESTALE, "the container has just ended")
    _checked(library.unshare(_CLONE_NEWNS))
    _checked(library.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None))
    _attach(library, own, root)
    os.chroot(root)
    os.chdir("/")
    for tree, bind in trees:
        _make_room(bind.destination, stat.S_ISDIR(os.fstat(tree).st_mode))
        _attach(library, tree, bind.destination)
        os.close(tree)
    if read_only:
        _restrict(library, own, _ATTR_RDONLY, _AT_EMPTY_PATH)  # what is bound into it has its own say
    os.close(own)
    _drop_capabilities(library)


def _tree(library: ctypes.CDLL, path: str, read_only: bool) -> int:
    """Take what is mounted at a path, as a mount of our own that is nowhere yet; its descriptor."""
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC
    tree: int = _checked(library.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags))
    attributes = _ATTR_NOSUID | _ATTR_NODEV | (_ATTR_RDONLY if read_only else 0)
    _restrict(library, tree, attributes, _AT_EMPTY_PATH | _AT_RECURSIVE)
    return tree


def _restrict(library: ctypes.CDLL, tree: int, attributes: int, flags: int) -> None:
    change = _Attributes(attr_set=attributes, propagation=_MS_PRIVATE)
    size = ctypes.sizeof(change)
    _checked(library.syscall(_MOUNT_SETATTR, tree, b"", flags, ctypes.byref(change), size))


def _attach(library: ctypes.CDLL, tree: int, path: str) -> None:
    _checked(library.syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(path), _MOVE_MOUNT_F_EMPTY_PATH))


def _make_room(path: str, directory: bool) -> None:
    """See to it that there is something to mount on, as starting the container would."""
    try:
        os.stat(path)
    except FileNotFoundError:
        os.makedirs(path if directory else path.rpartition("/")[0] or "/", 0o755, exist_ok=True)
        if not directory:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


def _drop_capabilities(library: ctypes.CDLL) -> None:
    """Keep what files need: no mounting, tracing, chroot or network, whatever may be found to make this process do."""
    _checked(library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    mask = sum(1 << number for number in _KEPT)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)  # effective, permitted, inheritable: low half, high half
    _checked(library.capset(header, data))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
