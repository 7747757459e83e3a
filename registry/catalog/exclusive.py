"""A right that one process has at a time, and that ends with it.

On PostgreSQL it is a lock of a session, on SQLite one of a file. Unlike with the right to upgrade, nobody waits for it.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.catalog.engine import Database
from registry.catalog.errors import CatalogError
from registry.catalog.locks import session_locked
from storage.errors import translating


class AlreadyTaken(CatalogError):
    """Another process has the right; the message says what for."""


@contextmanager
def exclusive(database: Database, lock_file: Path, number: int, *, refusal: str) -> Iterator[None]:
    """Have a right for the length of a block.

    Args:   database: past any pooler; lock_file: beside a SQLite database; number: PostgreSQL's for the right.
    Raises: AlreadyTaken with the words of `refusal`; CatalogUnavailable; storage.errors.StorageError.
    """

    def once(taken: Callable[[], bool]) -> None:
        if not taken():
            raise AlreadyTaken(refusal)

    if not database.is_sqlite:
        with session_locked(database.engine, number, once):
            yield
        return
    with translating(str(lock_file)):
        file = lock_file.open("a")
    with file:
        once(lambda: try_lock(file.fileno()))
        yield


def try_lock(descriptor: int) -> bool:
    """Lock an open file against other processes, for as long as it is open; False where another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
