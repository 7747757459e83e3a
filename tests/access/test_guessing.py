"""D5, guessing passwords: what is let through is counted, what is counted is shared, and what changes meanwhile counts.

The rest of the rules for failures is in tests/accounts; real servers under a flood are in test_floods.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import bcrypt
import pytest

from auth.passwords import PasswordHasher
from registry.accounts.sign_in import SignIn
from registry.catalog.catalog import Catalog
from registry.oci.errors import ErrorCode, RegistryError
from tests.accounts.entrance import AWAY, HOME, PASSWORD, Entrance
from tests.catalog.conftest import Clock, address, catalog, clock, database, fast_directory, migrated, place

__all__ = ["Clock", "address", "catalog", "clock", "database", "fast_directory", "migrated", "place"]

WRONG = "wrong-lines-and-bollards"


@pytest.fixture
def entrance(catalog: Catalog) -> Iterator[Entrance]:
    yield Entrance(catalog)


def tried(entrance: Entrance, password: str, name: str = "ada") -> ErrorCode | None:
    """Try a password; None: it was let in."""
    try:
        entrance.password(password, name)
    except RegistryError as error:
        return error.code
    return None


def test_an_owners_own_network_is_no_place_to_guess_without_end(entrance: Entrance) -> None:
    """A network that is full must not let guesses of a name that is known there go uncounted."""
    entrance.password()
    for number in range(6):
        tried(entrance, WRONG, f"user{number}")
    codes = [tried(entrance, WRONG) for _ in range(20)]
    assert codes == [ErrorCode.UNAUTHORIZED] * 3 + [ErrorCode.TOOMANYREQUESTS] * 17
    assert tried(entrance, PASSWORD) is ErrorCode.TOOMANYREQUESTS


def test_guesses_are_counted_for_all_workers_together(entrance: Entrance) -> None:
    other = SignIn(entrance.catalog, entrance.hasher, entrance.throttle, entrance.audit, entrance.used)
    for sign_in in (entrance.sign_in, other, entrance.sign_in):
        with pytest.raises(RegistryError):
            sign_in.by_password("ada", WRONG, HOME)
    for sign_in in (entrance.sign_in, other):
        with pytest.raises(RegistryError) as told:
            sign_in.by_password("ada", PASSWORD, HOME)
        assert told.value.code is ErrorCode.TOOMANYREQUESTS


@pytest.mark.parametrize("change", ["disabled", "password", "removed", "removed and made again"])
def test_what_changes_while_a_password_is_checked_counts(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Many may wait for their turn; who was shut out meanwhile stays out."""
    verified = entrance.hasher.verify

    def meanwhile(stored: str, text: str) -> bool:
        with entrance.catalog.begin() as tx:
            ada = tx.accounts.get("ada")
            if change == "disabled":
                tx.accounts.set_disabled(ada.id, True)
            elif change == "password":
                tx.accounts.set_password(ada.id, entrance.hasher.hash("another good password"))
            else:
                tx.accounts.remove(ada.id)
            if change.endswith("again"):
                tx.accounts.add_user("bob", password=ada.password)
                tx.accounts.add_user("ada", password=entrance.hasher.hash("another good password"))
        return verified(stored, text)

    monkeypatch.setattr(entrance.hasher, "verify", meanwhile)
    with pytest.raises(RegistryError) as told:
        entrance.password(origin=AWAY)
    assert told.value.code is ErrorCode.UNAUTHORIZED
    assert entrance.sign_in.remembered("ada", PASSWORD) is None


def test_two_workers_may_make_one_hash_anew_at_once(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who comes second finds another hash of the same password, and that is no change."""
    with entrance.catalog.begin() as tx:
        ada = tx.accounts.get("ada").id
        tx.accounts.set_password(ada, PasswordHasher(time_cost=2, memory_kib=8).hash(PASSWORD))
    hashed = entrance.hasher.hash

    def meanwhile(text: str) -> str:
        with entrance.catalog.begin() as tx:
            tx.accounts.set_password(ada, hashed(text))
        return hashed(text)

    monkeypatch.setattr(entrance.hasher, "hash", meanwhile)
    assert tried(entrance, PASSWORD) is None
    assert entrance.sign_in.remembered("ada", PASSWORD) is not None


def test_an_administrator_who_was_demoted_meanwhile_is_none(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with entrance.catalog.begin() as tx:
        tx.accounts.set_administrator(tx.accounts.get("ada").id, True)
    verified = entrance.hasher.verify

    def meanwhile(stored: str, text: str) -> bool:
        with entrance.catalog.begin() as tx:
            tx.accounts.set_administrator(tx.accounts.get("ada").id, False)
        return verified(stored, text)

    monkeypatch.setattr(entrance.hasher, "verify", meanwhile)
    assert not entrance.password(origin=AWAY).holder.administrator


@pytest.mark.parametrize("name", ["correct-horse-battery", "hunter2hunter2", "abcde-fghjk-mnpqr-stuvw"])
def test_a_password_that_was_typed_as_a_name_is_not_in_the_trail(entrance: Entrance, name: str) -> None:
    """Also one that looks like a name, as those do that the registry itself makes up."""
    tried(entrance, "ada", name)
    entrance.audit.flush()
    with entrance.catalog.read() as tx:
        rows = repr(tx.audit.page())
    assert name not in rows + b"".join(entrance.lines).decode()
    assert "wrong password" in rows


@pytest.mark.parametrize("name", ["ada", "team+ci", "team"])
def test_a_name_that_somebody_has_is_in_the_trail(entrance: Entrance, name: str) -> None:
    tried(entrance, WRONG, name)
    assert f'"actor":"{name}"'.encode() in b"".join(entrance.lines)


def test_an_imported_hash_does_not_tell_by_time_who_is_here(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bcrypt at htpasswd's cost is fifty times as quick as argon2id: a wrong password takes the time of both."""
    with entrance.catalog.begin() as tx:
        stored = bcrypt.hashpw(b"a-password-from-elsewhere", bcrypt.gensalt(4)).decode("ascii")
        tx.accounts.add_user("imported", password=stored)
    wasted: list[str] = []
    monkeypatch.setattr(entrance.hasher, "waste", wasted.append)
    tried(entrance, WRONG, "imported")
    tried(entrance, WRONG, "nobody")
    assert wasted == [WRONG, WRONG]
    tried(entrance, WRONG, "ada")
    assert wasted == [WRONG, WRONG]
    assert tried(entrance, "a-password-from-elsewhere", "imported") is None


def test_a_secret_that_is_wrong_takes_as_long_whoever_it_is_for(entrance: Entrance) -> None:
    times: dict[str, list[float]] = {"ada": [], "eve": []}
    for _ in range(40):
        for name, found in times.items():
            began = time.perf_counter()
            with pytest.raises(RegistryError):
                entrance.sign_in.by_secret(name, "mrg_pat_" + "A" * 43, AWAY)
            found.append(time.perf_counter() - began)
    ada, eve = (statistics.median(found) for found in times.values())
    assert 0.5 < ada / eve < 2
