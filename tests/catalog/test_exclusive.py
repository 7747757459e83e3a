"""A right that one process has at a time: refused in words while it is taken, free when its block has ended."""

from pathlib import Path

import pytest

from registry.catalog.engine import Database, connect
from registry.catalog.exclusive import AlreadyTaken, exclusive
from storage.errors import StorageError
from tests.catalog.conftest import only_sqlite

NUMBER = 4711


def test_one_has_it_and_the_next_gets_it_afterwards(database: Database, address: str, place: Path) -> None:
    other = connect(address, pool_size=2)
    with exclusive(database, place / "right.lock", NUMBER, refusal="somebody is at it"):
        for _ in range(2):
            with (
                pytest.raises(AlreadyTaken, match="somebody is at it"),
                exclusive(other, place / "right.lock", NUMBER, refusal="somebody is at it"),
            ):
                pass
    with exclusive(other, place / "right.lock", NUMBER, refusal=""):
        pass
    other.close()


def test_what_goes_wrong_inside_passes_and_frees_it(database: Database, place: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(database, place / "right.lock", NUMBER, refusal=""):
        raise ZeroDivisionError
    with exclusive(database, place / "right.lock", NUMBER, refusal=""):
        pass


@only_sqlite
def test_a_lock_that_cannot_be_made_is_told(database: Database, place: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"right\.lock"),
        exclusive(database, place / "no" / "right.lock", 1, refusal="x"),
    ):
        pass
