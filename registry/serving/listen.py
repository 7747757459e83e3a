"""Listening sockets, bound before any worker starts, so that port 0 works and the true address can be printed.

Workers either share one socket or, for a server that would let one worker take every connection, get one each on the
same port (SO_REUSEPORT). The parent keeps them all open: while a dead worker is replaced, its connections queue.
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

from registry.serving.plan import ServingPlan


class CannotListen(Exception):
    """The address cannot be had; the message says which and why."""


class Listener:
    """The bound sockets, the address that clients use, and the socket file that goes when serving ends."""

    def __init__(self, sockets: Sequence[socket.socket], url: str, uds: Path | None = None) -> None:
        self.url = url
        self._sockets = tuple(sockets)
        self._uds = uds
        self._inode = uds.stat().st_ino if uds else None

    def for_worker(self, slot: int) -> socket.socket:
        """Give the socket that this worker accepts from."""
        return self._sockets[slot % len(self._sockets)]

    def keep_only(self, slot: int) -> socket.socket:
        """In a worker: let go of the other workers' sockets, which would stay open as long as this process lives."""
        mine = self.for_worker(slot)
        for sock in self._sockets:
            if sock is not mine:
                sock.close()
        return mine

    def close(self) -> None:
        """Stop listening and take the socket file away, unless somebody else has put theirs in its place."""
        for sock in self._sockets:
            sock.close()
        if self._uds is not None:
            with contextlib.suppress(FileNotFoundError):
                if self._uds.stat().st_ino == self._inode:
                    self._uds.unlink()
            self._uds = None


def open_listener(plan: ServingPlan, *, one_each: bool = False) -> Listener:
    """Bind what the plan names.

    Args:   one_each: give every worker a socket of its own on the same TCP port.
    Raises: CannotListen with a sentence for the person who started the server.
    """
    if plan.uds is not None:
        return Listener([_bind_unix(plan.uds, plan.uds_mode, plan.backlog)], f"unix:{plan.uds}", plan.uds)
    shown = f"[{plan.host}]" if ":" in plan.host else plan.host
    try:
        family, _, _, _, address = socket.getaddrinfo(
            plan.host, plan.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        first = _bind_tcp(family, address, plan.backlog, reuse_port=False)
        port = int(first.getsockname()[1])
        sockets = [first]
        if one_each and plan.workers > 1:
            # The first bind, without SO_REUSEPORT, has shown that nobody else listens here: with it, a second server of
            # the same user would silently share the port.
            first.close()
            address = (address[0], port, *address[2:])
            sockets = [_bind_tcp(family, address, plan.backlog, reuse_port=True) for _ in range(plan.workers)]
    except OSError as error:
        raise CannotListen(f"cannot listen on {shown}:{plan.port}: {_reason(error)}") from error
    return Listener(sockets, f"{'https' if plan.tls else 'http'}://{shown}:{port}")


def _bind_tcp(family: int, address: tuple[object, ...], backlog: int, *, reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _bind_unix(path: Path, mode: int, backlog: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        _remove_stale(path)
        sock.bind(str(path))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise CannotListen(f"cannot listen on the socket file {path}: {_reason(error)}") from error
    finally:
        os.umask(before)
    sock.setblocking(False)
    return sock


def _remove_stale(path: Path) -> None:
    """Remove a socket file that a killed server left; never a file of another kind, never one that is in use."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(errno.EEXIST, "a file that is not a socket is in the way")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the address is in use by another program"
    if error.errno == errno.EACCES:
        return "permission denied (ports below 1024 need a privilege)"
    return error.strerror or str(error)
