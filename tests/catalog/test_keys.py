"""Signing keys: their states, when they entered them, and a secret that is only passed through."""

import pytest

from registry.catalog.catalog import Catalog
from registry.catalog.errors import NotFound
from registry.catalog.keys import KeyRow
from tests.catalog.conftest import REFUSED, Clock


def key(kid: str, created_at: int) -> KeyRow:
    return KeyRow(kid, "next", '{"kty":"EC"}', b"\x00sealed", "0123456789abcdef", created_at)


def test_a_key_goes_through_its_states(catalog: Catalog, clock: Clock) -> None:
    times = [clock.now]
    with catalog.begin() as tx:
        tx.keys.add(key("b", clock.now), "active")
        tx.keys.add(key("a", clock.now + 1), "next")
    clock.now += 10
    times.append(clock.now)
    with catalog.begin() as tx:
        tx.keys.set_state("b", "retired")
        tx.keys.set_state("a", "active")
    with catalog.read() as tx:
        assert tx.keys.all() == [
            KeyRow("b", "retired", '{"kty":"EC"}', b"\x00sealed", "0123456789abcdef", times[0], times[0], times[1]),
            KeyRow("a", "active", '{"kty":"EC"}', b"\x00sealed", "0123456789abcdef", times[0] + 1, times[1], None),
        ]
    with catalog.begin() as tx:
        tx.keys.remove("b")
        assert [row.kid for row in tx.keys.all()] == ["a"]


def test_what_is_not_there_is_told(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        assert tx.keys.all() == []
        with pytest.raises(NotFound):
            tx.keys.set_state("x", "active")
        with pytest.raises(NotFound):
            tx.keys.remove("x")


@pytest.mark.parametrize("state", ["", "ACTIVE", "compromised"])
def test_there_are_three_states(catalog: Catalog, state: str) -> None:
    with pytest.raises(REFUSED), catalog.begin() as tx:
        tx.keys.add(key("a", 1), state)


def test_a_key_is_added_once(catalog: Catalog) -> None:
    with pytest.raises(REFUSED), catalog.begin() as tx:
        tx.keys.add(key("a", 1), "next")
        tx.keys.add(key("a", 2), "next")
