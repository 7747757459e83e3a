"""Work inside the network namespace of another process: on a thread that enters it and ends there.

Python has `os.setns` from 3.12 on; before that it is libc's. Source: setns(2), network_namespaces(7).
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from runtime.errors import Conflict

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000


@contextmanager
def network_of(pid: int) -> Iterator[int]:
    """Open the network namespace of a process. Raises Conflict where the process has ended."""
    try:
        space = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Conflict(f"process {pid} is gone: {error.strerror}") from error
    try:
        yield space
    finally:
        os.close(space)


def inside(space: int, action: Callable[[], T]) -> T:
    """Run a function in a namespace and return what it returns; what it raises is raised here."""

    def entered() -> T:
        _enter(space)
        return action()

    with ThreadPoolExecutor(1, "moor-inside") as thread:
        return thread.submit(entered).result()


def _enter(space: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(space, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")
