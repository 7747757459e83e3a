"""The data root: a private directory, held by one daemon at a time.

The lock is flock(2): it ends with its process, however that ends, so that nothing stale can be left behind.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.errors import Conflict, EngineError

LOCK = "lock"


@contextmanager
def held(data: Path, run: Path) -> Iterator[None]:
    """Make both directories and hold the data root. Raises: Conflict where another daemon holds it; EngineError."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        data.chmod(0o700)  # images keep their setuid files: no user of the host may reach them
        run.mkdir(mode=0o711, parents=True, exist_ok=True)
        lock = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EngineError(f"cannot use {data} and {run}: {error}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 16, 0).decode(errors="replace").strip()
            raise Conflict(f"another daemon{f' (process {holder})' if holder else ''} holds {data}") from None
        os.truncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        with suppress(OSError):
            os.close(lock)
