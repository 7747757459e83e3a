"""Signing in: one refusal for every reason, secrets by their hash, passwords remembered for a while and no longer."""

from datetime import timedelta

import pytest

from auth.passwords import PasswordHasher
from auth.secrets import SecretKind, new_secret
from registry.accounts import sign_in as module
from registry.accounts.sign_in import REFUSAL, is_secret
from registry.accounts.throttle import network_of, subject_of
from registry.audit import Origin
from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable
from registry.oci.errors import ErrorCode, RegistryError
from tests.accounts.entrance import AWAY, HOME, PASSWORD, SECOND, Entrance
from tests.catalog.conftest import Clock, address, catalog, clock, database, fast_directory, migrated, place

__all__ = ["Clock", "address", "catalog", "clock", "database", "fast_directory", "migrated", "place"]


@pytest.fixture
def entrance(catalog: Catalog) -> Entrance:
    return Entrance(catalog)


def refused(code: ErrorCode = ErrorCode.UNAUTHORIZED) -> "pytest.RaisesExc[RegistryError]":
    return pytest.RaisesExc(RegistryError, check=lambda error: error.code is code)


def test_a_password_lets_in_and_is_noted(entrance: Entrance) -> None:
    principal = entrance.password()
    assert (principal.holder.name, principal.credential, principal.refreshable) == ("ada", None, True)
    with entrance.catalog.read() as tx:
        assert tx.accounts.get("ada").login_network == "192.0.2.7"


@pytest.mark.parametrize("name", ["ada", "nobody", "team", "team+ci", "ADA", ""])
def test_every_wrong_password_is_the_same_refusal(entrance: Entrance, name: str) -> None:
    with pytest.raises(RegistryError) as told:
        entrance.password("wrong-lines-and-bollards", name)
    assert (told.value.code, told.value.message) == (ErrorCode.UNAUTHORIZED, REFUSAL)
    assert "docker login" in REFUSAL


def test_a_disabled_account_and_a_dead_secret_are_that_same_refusal(entrance: Entrance, clock: Clock) -> None:
    _, pat = entrance.secret("ada")
    expiring, old = entrance.secret("ada", lifetime=SECOND)
    revoked, gone = entrance.secret("ada")
    with entrance.catalog.begin() as tx:
        tx.credentials.revoke(revoked)
    clock.now += SECOND
    assert entrance.sign_in.by_secret("ada", pat, HOME).credential
    messages = set()
    for secret in (old, gone, new_secret(SecretKind.PAT), pat[:-1], "mrg_pat_"):
        with pytest.raises(RegistryError) as told:
            entrance.sign_in.by_secret("ada", secret, Origin("", "anonymous", address=secret[-6:]))
        messages.add((told.value.code, told.value.message))
    with refused():
        entrance.sign_in.by_secret("bob", pat, AWAY)
    entrance.disable("ada")
    with pytest.raises(RegistryError) as told:
        entrance.sign_in.by_secret("ada", pat, AWAY)
    messages.add((told.value.code, told.value.message))
    with pytest.raises(RegistryError) as told:
        entrance.password(origin=AWAY)
    messages.add((told.value.code, told.value.message))
    assert messages == {(ErrorCode.UNAUTHORIZED, REFUSAL)}
    assert expiring


def test_robots_and_tokens_sign_in_by_their_secrets(entrance: Entrance) -> None:
    credential, secret = entrance.secret("team+ci", SecretKind.ROBOT)
    principal = entrance.sign_in.by_secret("team+ci", secret, HOME)
    assert (principal.holder.name, principal.credential, principal.refreshable) == ("team+ci", credential, False)
    assert entrance.used.flush() == 1
    with entrance.catalog.read() as tx:
        found, _ = tx.credentials.get(credential)
        assert found.last_used_from == "192.0.2.7"


def test_a_refresh_token_is_good_for_its_service_alone_and_is_no_password(entrance: Entrance) -> None:
    _, secret = entrance.secret("ada", SecretKind.REFRESH)
    principal = entrance.sign_in.by_refresh(secret, "hub", HOME)
    assert principal.holder.name == "ada" and not principal.refreshable
    with refused():
        entrance.sign_in.by_refresh(secret, "other", HOME)
    with refused():
        entrance.sign_in.by_secret("ada", secret, HOME)
    _, pat = entrance.secret("ada")
    with refused():
        entrance.sign_in.by_refresh(pat, "hub", HOME)


def test_a_password_is_remembered_until_it_changes_or_its_account_is_shut_out(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entrance.sign_in.remembered("ada", PASSWORD) is None
    entrance.password()
    assert entrance.sign_in.remembered("ada", PASSWORD) is not None
    assert entrance.sign_in.remembered("ada", PASSWORD + "x") is None
    assert entrance.sign_in.remembered("bob", PASSWORD) is None
    with monkeypatch.context() as patch:
        patch.setattr(module, "REMEMBERED", -1.0)
        entrance.password()
        assert entrance.sign_in.remembered("ada", PASSWORD) is None
    entrance.password()
    with entrance.catalog.begin() as tx:
        tx.accounts.set_password(tx.accounts.get("ada").id, entrance.hasher.hash("another good password"))
    assert entrance.sign_in.remembered("ada", PASSWORD) is None
    entrance.password("another good password")
    entrance.disable("ada")
    assert entrance.sign_in.remembered("ada", "another good password") is None


def test_the_memory_has_a_limit(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_LIMIT", 1)
    entrance.password()
    with entrance.catalog.begin() as tx:
        tx.accounts.add_user("bob", password=entrance.hasher.hash(PASSWORD))
    entrance.password(name="bob")
    assert entrance.sign_in.remembered("ada", PASSWORD) is None


def test_a_hash_of_lower_cost_is_made_anew_and_one_that_changed_meanwhile_is_not(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with entrance.catalog.begin() as tx:
        ada = tx.accounts.get("ada").id
        tx.accounts.set_password(ada, PasswordHasher(time_cost=2, memory_kib=8).hash(PASSWORD))
    entrance.password()
    with entrance.catalog.read() as tx:
        assert not entrance.hasher.outdated(str(tx.accounts.get("ada").password))
    with entrance.catalog.begin() as tx:
        tx.accounts.set_password(ada, PasswordHasher(time_cost=2, memory_kib=8).hash(PASSWORD))
    hashed = entrance.hasher.hash

    def meanwhile(text: str) -> str:
        with entrance.catalog.begin() as tx:
            tx.accounts.set_password(ada, hashed("another good password"))
        return hashed(text)

    monkeypatch.setattr(entrance.hasher, "hash", meanwhile)
    with refused():
        entrance.password()
    with entrance.catalog.read() as tx:
        assert entrance.hasher.verify(str(tx.accounts.get("ada").password), "another good password")


def test_signing_in_works_while_nothing_can_be_written(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise CatalogUnavailable("the disk is full")

    monkeypatch.setattr(entrance.catalog, "begin", refuse)
    assert entrance.password().holder.name == "ada"
    with refused():
        entrance.password("wrong-lines-and-bollards")


def test_ten_failures_close_the_door_for_a_while_and_never_lock_it(entrance: Entrance, clock: Clock) -> None:
    for _ in range(3):
        with refused():
            entrance.password("wrong-lines-and-bollards")
    with pytest.raises(RegistryError) as told:
        entrance.password()
    assert told.value.code is ErrorCode.TOOMANYREQUESTS
    assert told.value.headers["retry-after"] == "300"
    _, pat = entrance.secret("ada")
    entrance.sign_in.by_secret("ada", pat, HOME)
    entrance.password(origin=AWAY)
    clock.now += 300 * SECOND
    entrance.password()


def test_containerd_may_try_a_wrong_password_twice_and_a_right_one_clears_what_was_before(entrance: Entrance) -> None:
    for _ in range(5):
        for _ in range(2):
            with refused():
                entrance.password("wrong-lines-and-bollards")
        entrance.password()


def test_guesses_from_everywhere_slow_a_name_down_but_not_where_its_owner_was(entrance: Entrance, clock: Clock) -> None:
    entrance.password()
    for number in range(5):
        with refused():
            entrance.password("wrong-lines-and-bollards", origin=Origin("", "", address=f"198.51.100.{number}"))
    with refused(ErrorCode.TOOMANYREQUESTS):
        entrance.password(origin=AWAY)
    entrance.password()
    clock.now += 60 * SECOND
    entrance.password(origin=AWAY)


def test_a_network_has_a_limit_for_all_names_together(entrance: Entrance) -> None:
    for number in range(6):
        with refused():
            entrance.password("wrong-lines-and-bollards", f"user{number}", AWAY)
    with refused(ErrorCode.TOOMANYREQUESTS):
        entrance.password(origin=AWAY)
    with refused(ErrorCode.TOOMANYREQUESTS):
        entrance.sign_in.by_secret("ada", new_secret(SecretKind.PAT), AWAY)


def test_a_machine_with_an_expired_secret_slows_nobody_down_but_itself(entrance: Entrance) -> None:
    _, pat = entrance.secret("ada", lifetime=0)
    for _ in range(3):
        with refused():
            entrance.sign_in.by_secret("ada", pat, HOME)
    with refused(ErrorCode.TOOMANYREQUESTS):
        entrance.sign_in.by_secret("ada", pat, HOME)
    entrance.password()
    entrance.password(origin=AWAY)


def test_failures_that_count_no_more_are_forgotten(entrance: Entrance, clock: Clock) -> None:
    with refused():
        entrance.password("wrong-lines-and-bollards")
    assert entrance.throttle.purge() == 0
    clock.now += 3601 * SECOND
    assert entrance.throttle.purge() == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
    ],
)
def test_a_network_is_an_address_or_a_64(address: str, network: str) -> None:
    assert network_of(address) == network


def test_what_was_typed_is_nowhere_but_in_a_hash(entrance: Entrance) -> None:
    for name, secret in (("My-Password-By-Mistake", "hunter2hunter2"), ("ada", "hunter2hunter2")):
        with refused():
            entrance.password(secret, name)
    entrance.audit.flush()
    text = b"".join(entrance.lines)
    with entrance.catalog.read() as tx:
        text += repr(tx.audit.page()).encode()
        rows = tx.audit._connection.exec_driver_sql("SELECT * FROM login_failure").all()
    text += repr(rows).encode()
    assert b"My-Password" not in text and b"hunter2" not in text
    assert subject_of("ada").encode() in text
    assert b'"actor":"ada"' in text


def test_what_looks_like_a_secret_is_looked_up() -> None:
    assert is_secret("mrg_pat_x") and is_secret("mrg_rob_x") and is_secret("mrg_ref_x")
    assert not is_secret("correct horse")


def test_last_uses_wait_while_the_database_is_busy(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    credential, secret = entrance.secret("ada")
    entrance.sign_in.by_secret("ada", secret, HOME)

    def refuse(*_: object) -> None:
        raise CatalogUnavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr("registry.catalog.credentials.Credentials.note_used", refuse)
        with pytest.raises(CatalogUnavailable):
            entrance.used.flush()
    assert (entrance.used.flush(), entrance.used.flush()) == (1, 0)
    monkeypatch.setattr("registry.accounts.used.LIMIT", 0)
    entrance.used.note(credential, "x")
    assert entrance.used.flush() == 0


def test_a_day_is_a_day() -> None:
    """The limits are the ones that the documents tell."""
    from registry.accounts.throttle import LONG, SHORT, ThrottleLimits

    assert (timedelta(microseconds=SHORT), timedelta(microseconds=LONG)) == (timedelta(minutes=5), timedelta(hours=1))
    assert (ThrottleLimits().pair, ThrottleLimits().name) == (10, 100)
