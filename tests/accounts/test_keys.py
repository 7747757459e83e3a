"""The key ring: next, active, retired; rotation without a restart; another master key is told in words."""

from datetime import timedelta

import pytest

from auth.keys import MasterKey
from auth.policy import Kind
from auth.tokens import InvalidToken, Issuer, Verifier
from registry.accounts import keys as module
from registry.accounts.keys import RETIRED_FOR, KeyRing, WrongMasterKeyError
from registry.accounts.master import load_master_key
from registry.audit import Audit, Origin, no_lines
from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable
from tests.catalog.conftest import Clock, catalog, clock, database, fast_directory, place

__all__ = ["Clock", "catalog", "clock", "database", "fast_directory", "place"]

ROOT = Origin("root", "operator")
MASTER = MasterKey.generate()
NOW = 1_000_000
ISSUER, VERIFIER = Issuer(issuer="i", audience="a", lifetime=300), Verifier(issuer="i", audience="a")


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH", 0.0)
    monkeypatch.setattr(module, "AGAIN", 0.0)


def ring(catalog: Catalog, master: MasterKey = MASTER) -> KeyRing:
    return KeyRing(catalog, master, Audit(catalog, no_lines))


def token(keys: KeyRing) -> str:
    return ISSUER.issue(
        keys.signing(), subject="ada", kind=Kind.USER, credential=None, scopes=(), now=NOW, token_id="t"
    )


def states(catalog: Catalog) -> list[str]:
    with catalog.read() as tx:
        return sorted(row.state for row in tx.keys.all())


def test_the_first_keys_are_made_once(catalog: Catalog) -> None:
    first = ring(catalog)
    assert first.seen is None
    first.ensure()
    ring(catalog).ensure()
    assert states(catalog) == ["active", "next"]
    assert VERIFIER.verify(token(first), ring(catalog).look(), NOW).subject == "ada"


def test_whoever_read_the_ring_before_a_rotation_knows_the_key_that_signs_after_it(catalog: Catalog) -> None:
    early, late = ring(catalog), ring(catalog)
    early.ensure()
    known = early.look()
    old = token(late)
    late.rotate(ROOT)
    assert VERIFIER.verify(token(late), known, NOW).subject == "ada"
    assert VERIFIER.verify(old, late.look(), NOW).subject == "ada"
    assert states(catalog) == ["active", "next", "retired"]


def test_a_key_that_retired_long_ago_verifies_no_more_and_is_forgotten(catalog: Catalog, clock: Clock) -> None:
    keys = ring(catalog)
    keys.ensure()
    old = token(keys)
    keys.rotate(ROOT)
    clock.now += (RETIRED_FOR + timedelta(seconds=1)) // timedelta(microseconds=1)
    with pytest.raises(InvalidToken):
        VERIFIER.verify(old, keys.look(), NOW)
    keys.rotate(ROOT)
    assert states(catalog) == ["active", "next", "retired"]
    assert len(keys.rows()) == 3


def test_a_rotation_on_schedule_waits_for_its_time(catalog: Catalog, clock: Clock) -> None:
    keys = ring(catalog)
    keys.ensure()
    before = keys.signing().kid
    clock.now += timedelta(days=89) // timedelta(microseconds=1)
    assert keys.rotate(ROOT, older_than=timedelta(days=90)) is None
    clock.now += timedelta(days=2) // timedelta(microseconds=1)
    after = keys.rotate(ROOT, older_than=timedelta(days=90))
    assert after == keys.signing().kid != before
    assert keys.rotate(ROOT, older_than=timedelta(days=90)) is None
    with catalog.read() as tx:
        assert [line.event.action for line in tx.audit.page()] == ["key.rotate"]


def test_a_reset_voids_every_token(catalog: Catalog) -> None:
    keys = ring(catalog)
    keys.ensure()
    old = token(keys)
    active = keys.reset(ROOT)
    assert keys.signing().kid == active
    with pytest.raises(InvalidToken) as told:
        VERIFIER.verify(old, keys.look(), NOW)
    assert told.value.unknown_key


def test_the_same_keys_are_the_same_object(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was verified with them stays verified."""
    keys = ring(catalog)
    keys.ensure()
    first = keys.look()
    assert keys.look() is first is keys.seen
    keys.rotate(ROOT)
    assert keys.look() is not first
    monkeypatch.setattr(module, "FRESH", 60.0)
    monkeypatch.setattr(module, "AGAIN", 60.0)
    assert keys.signing().kid in {str(key["kid"]) for key in keys.jwks()["keys"]}  # type: ignore[attr-defined]


def test_another_master_key_is_told_and_a_reset_helps(catalog: Catalog) -> None:
    ring(catalog).ensure()
    other = ring(catalog, MasterKey.generate())
    with pytest.raises(WrongMasterKeyError, match="the one that the others have"):
        other.ensure()
    with pytest.raises(CatalogUnavailable, match="another master key"):
        other.signing()
    other.reset(ROOT)
    other.ensure()
    assert other.signing().kid in other.look()


def test_retired_keys_of_an_earlier_master_key_are_no_trouble(catalog: Catalog) -> None:
    ring(catalog).ensure()
    with catalog.begin() as tx:
        for row in tx.keys.all():
            tx.keys.set_state(row.kid, "retired")
    other = ring(catalog, MasterKey.generate())
    other.ensure()
    assert len(other.look()) == 4


def test_the_master_key_is_made_private_once_and_read_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("data")
    made = load_master_key(directory, None, create=True)
    path = directory / "master.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_master_key(directory, None, create=False).id == made.id
    assert [file.name for file in directory.iterdir()] == ["master.key"]
    given = MasterKey.generate()
    assert load_master_key(directory, f" {given.text}\n", create=False).id == given.id
    for spoilt in ("nonsense", "é"):
        path.write_text(spoilt)
        with pytest.raises(WrongMasterKeyError, match="master key"):
            load_master_key(directory, None, create=True)
    path.unlink()
    with pytest.raises(WrongMasterKeyError, match="there is no master key"):
        load_master_key(directory, None, create=False)
