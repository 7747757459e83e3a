"""The daemon's listening socket: bound by us with its group and mode, or handed over by systemd (sd_listen_fds(3)).

Who may connect may do as root does: mode 0660 at most, from the first moment on.
"""

import grp
import logging
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.errors import EngineError

BACKLOG = 1024
MODE = 0o660
FIRST_HANDED = 3

_log = logging.getLogger(__name__)


class CannotListen(EngineError):
    """The socket is another's, or cannot be made."""


@contextmanager
def listening(path: Path, group: str, environment: Mapping[str, str]) -> Iterator[socket.socket]:
    """Give the socket to listen on, systemd's where there is one; ours is removed in the end. Raises: CannotListen."""
    handed = _handed_over(environment)
    if handed is not None:
        with handed:
            yield handed
        return
    with _bound(path, group) as listener:
        ours = path.stat().st_ino
        try:
            yield listener
        finally:
            with suppress(FileNotFoundError):
                if path.stat().st_ino == ours:
                    path.unlink()


def _handed_over(environment: Mapping[str, str]) -> socket.socket | None:
    """The socket that systemd listens on for us; None where it does not."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = environment.get("LISTEN_FDS", "")
    if count != "1":
        raise CannotListen(f"systemd hands over {count or 'no'} sockets; the engine listens on exactly one")
    handed = socket.socket(fileno=FIRST_HANDED)
    if handed.family != socket.AF_UNIX or handed.type != socket.SOCK_STREAM:
        handed.detach()
        raise CannotListen("the socket that systemd hands over is no unix stream socket (ListenStream=/path)")
    os.set_inheritable(FIRST_HANDED, False)
    return handed


def _bound(path: Path, group: str) -> socket.socket:
    _make_room(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o777 & ~0o600)  # nobody else gets in before group and mode are right
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise CannotListen(f"cannot listen on {path}: {error}") from error
    finally:
        os.umask(before)
    _open_to(path, group)
    listener.listen(BACKLOG)
    return listener


def _make_room(path: Path) -> None:
    """Remove a socket that a killed daemon left behind. Raises: CannotListen where somebody answers there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise CannotListen(f"cannot listen on {path}: it is there and no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock, suppress(ConnectionRefusedError):
        knock.connect(str(path))
        raise CannotListen(f"cannot listen on {path}: another daemon answers there")
    path.unlink()


def _open_to(path: Path, group: str) -> None:
    """Let the group in; without such a group the socket stays its owner's."""
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        _log.info("no group %s: only its owner may use %s (groupadd %s lets its members in)", group, path, group)
        return
    try:
        os.chown(path, -1, number, follow_symlinks=False)
    except PermissionError:
        _log.warning("%s cannot be given to the group %s", path, group)
        return
    path.chmod(MODE)
