"""Signals that reach `moor` while a container is attached: passed on to it, and a window's new size with them.

They are blocked and waited for in a thread of their own, so that no handler runs in the middle of anything.
Source: docker/cli cli/command/container/{signals,tty}.go.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from runtime.cli.answers import Broken
from runtime.cli.client import Client, Refused, Unreachable
from runtime.cli.terminal import size

_OURS = frozenset({"SIGCHLD", "SIGPIPE", "SIGURG", "SIGKILL", "SIGSTOP", "SIGTTIN", "SIGTTOU", "SIGTSTP", "SIGCONT"})
_FAULTS = frozenset({"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"})


@contextmanager
def forwarded(client: Client, path: str, *, proxy: bool, resize: bool) -> Iterator[None]:
    """Until the block ends, pass signals on to a container (`proxy`) and follow the window's size (`resize`).

    `path`: of the container or exec in the API, /containers/ID or /exec/ID.
    """
    wanted = _all() if proxy else {signal.SIGWINCH} if resize else set()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    if wanted:
        threading.Thread(target=_wait, args=(client, path, wanted, proxy, resize), daemon=True).start()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def resized(client: Client, path: str, *, larger_by: int = 0) -> None:
    """Tell the container's terminal the size of ours, if it has one; that it has ended meanwhile is no error."""
    now = size()
    if now is not None and now != (0, 0):
        with suppress(Refused, Broken, Unreachable):
            client.do("POST", f"{path}/resize", {"h": now[0] + larger_by, "w": now[1] + larger_by})


def _all() -> set[signal.Signals]:
    return {one for one in signal.Signals if one.name not in _OURS | _FAULTS and one.name.startswith("SIG")}


def _wait(client: Client, path: str, wanted: set[signal.Signals], proxy: bool, resize: bool) -> None:
    while True:
        number = signal.sigwait(wanted)
        name = signal.Signals(number).name.removeprefix("SIG")
        if proxy:
            with suppress(Refused, Broken, Unreachable):  # it may have ended
                client.do("POST", f"{path}/kill", {"signal": name})
        if resize and number == signal.SIGWINCH:
            resized(client, path)
