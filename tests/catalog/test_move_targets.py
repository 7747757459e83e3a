"""Which databases a catalog may move to: an empty one, or the one that it has begun to move to."""

import pytest
from sqlalchemy import text

from registry.catalog.engine import connect
from registry.catalog.moving import copying, move
from registry.catalog.moving.errors import MoveError
from registry.catalog.moving.move import Move
from registry.catalog.sole import LOCK
from tests.catalog.filled import rows_of
from tests.catalog.moves import Both, Killed, both, change, dies_after, silent
from tests.parts.postgres import Postgres

__all__ = ["both"]
pytestmark = pytest.mark.postgresql


def test_a_target_with_rows_of_its_own_is_left_alone(both: Both, postgres: Postgres, migrated: str) -> None:
    name = postgres.create(migrated)
    target = connect(postgres.url(name), pool_size=4)
    change(target, "INSERT INTO repository (name, created_at) VALUES ('team/app', 1)")
    before = rows_of(target)
    with pytest.raises(MoveError, match="its table repository has rows"):
        Move(both.sqlite, target, silent).run()
    assert rows_of(target) == before
    change(target, "DELETE FROM repository")
    assert Move(both.sqlite, target, silent).run().copied
    target.close()


def test_a_target_that_another_catalog_moves_to_is_left_alone(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(move, "replace", dies_after(2, copying.replace))
        both.move()
    both.change("UPDATE catalog_move SET source = 'another'")
    with pytest.raises(MoveError, match="half filled from another catalog"):
        both.move()


def test_a_catalog_that_has_moved_moves_nowhere_else(both: Both, postgres: Postgres) -> None:
    both.move()
    other = connect(postgres.url(postgres.create()), pool_size=4)
    with pytest.raises(MoveError, match=r"has moved already, to 127\.0\.0\.1:\d+/test_\w+, and is sealed"):
        Move(both.sqlite, other, silent).run()
    other.close()


def test_a_target_in_use_is_left_alone(both: Both, monkeypatch: pytest.MonkeyPatch, postgres: Postgres) -> None:
    monkeypatch.setattr(move, "LOCK_WAIT", 0.2)
    with both.postgresql.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": LOCK})
        with pytest.raises(MoveError, match="another `moorage db migrate`, is on the target"):
            both.move()
