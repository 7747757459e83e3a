"""Credentials: found by a hash with whose they are, limited, revoked for good, and purged where they pile up."""

import pytest

from registry.catalog.catalog import Catalog
from registry.catalog.credentials import Credential
from registry.catalog.errors import NotFound
from tests.catalog.conftest import REFUSED, Clock
from tests.catalog.plans import planned, scans

HOUR = 3_600_000_000


def number(value: int) -> str:
    return f"{value:016x}"


def test_a_credential_is_found_with_whose_it_is(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        team = tx.accounts.add_organization("team")
        robot = tx.accounts.add_robot(team.id, "team+ci")
        added = tx.credentials.add(
            number(1),
            robot.id,
            "robot",
            secret_hash="hash",
            label="the build",
            rights=3,
            repositories=("team/app", "team/lib/*"),
            service="registry",
            expires_at=clock.now + HOUR,
        )
        assert added == Credential(
            id=number(1),
            account_id=robot.id,
            kind="robot",
            label="the build",
            rights=3,
            repositories=("team/app", "team/lib/*"),
            service="registry",
            created_at=clock.now,
            expires_at=clock.now + HOUR,
            revoked_at=None,
            last_used_at=None,
            last_used_from=None,
        )
        with planned(catalog) as plan:
            assert tx.credentials.by_hash("hash") == tx.credentials.get(number(1)) == (added, robot)
            assert tx.credentials.of(robot.id) == [added]
        assert scans(plan) == []
        with pytest.raises(NotFound) as told:
            tx.credentials.by_hash("other")
        assert "other" not in str(told.value)
        with pytest.raises(NotFound):
            tx.credentials.get(number(2))


def test_no_limits_are_none_and_no_repository_is_an_empty_list(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada = tx.accounts.add_user("ada", password=None).id
        free = tx.credentials.add(number(1), ada, "pat", secret_hash="a")
        bound = tx.credentials.add(number(2), ada, "pat", secret_hash="b", rights=0, repositories=())
        assert (free.rights, free.repositories) == (None, None)
        assert (bound.rights, bound.repositories) == (0, ())


def test_an_id_and_a_hash_are_used_once_and_there_are_three_kinds(catalog: Catalog) -> None:
    for credential, kind, secret_hash in ((1, "pat", "b"), (2, "pat", "a"), (2, "king", "b")):
        with pytest.raises(REFUSED), catalog.begin() as tx:
            ada = tx.accounts.add_user("ada", password=None).id
            tx.credentials.add(number(1), ada, "pat", secret_hash="a")
            tx.credentials.add(number(credential), ada, kind, secret_hash=secret_hash)


def test_only_what_can_be_used_is_counted(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        ada, bob = (tx.accounts.add_user(name, password=None).id for name in ("ada", "bob"))
        for value, (owner, kind, expires_at) in enumerate(
            [
                (ada, "pat", None),
                (ada, "pat", clock.now + 1),
                (ada, "pat", clock.now),
                (ada, "refresh", None),
                (bob, "pat", None),
            ]
        ):
            tx.credentials.add(number(value), owner, kind, secret_hash=str(value), expires_at=expires_at)
        with planned(catalog) as plan:
            assert tx.credentials.live_count(ada, "pat") == 2
        assert scans(plan) == []
        tx.credentials.revoke(number(0))
        assert tx.credentials.live_count(ada, "pat") == 1
        assert [found.id for found in tx.credentials.of(ada)] == [number(value) for value in range(4)]


def test_revoked_is_revoked(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        ada, bob = (tx.accounts.add_user(name, password=None).id for name in ("ada", "bob"))
        for value, (owner, kind) in enumerate([(ada, "pat"), (ada, "pat"), (ada, "refresh"), (bob, "pat")]):
            tx.credentials.add(number(value), owner, kind, secret_hash=str(value))
        tx.credentials.revoke(number(0))
        first = clock.now
    clock.now += 7
    with catalog.begin() as tx:
        tx.credentials.revoke(number(0))
        assert tx.credentials.get(number(0))[0].revoked_at == first
        assert tx.credentials.revoke_all(ada, "pat") == 1
        assert [found.revoked_at for found in tx.credentials.of(ada)] == [first, clock.now, None]
        assert tx.credentials.revoke_all(ada) == 1
        assert tx.credentials.revoke_all(ada) == 0
        assert tx.credentials.get(number(3))[0].revoked_at is None
        with pytest.raises(NotFound):
            tx.credentials.revoke(number(9))


def test_the_latest_use_stays(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada = tx.accounts.add_user("ada", password=None).id
        for value in range(2):
            tx.credentials.add(number(value), ada, "pat", secret_hash=str(value))
        tx.credentials.note_used([])
        with planned(catalog) as plan:
            tx.credentials.note_used([(number(0), 50, "192.0.2.1"), (number(9), 50, "192.0.2.9")])
        assert scans(plan) == []
        tx.credentials.note_used([(number(0), 40, "192.0.2.2"), (number(1), 40, "192.0.2.2")])
        tx.credentials.note_used([(number(1), 60, "192.0.2.3")])
        used = [(found.last_used_at, found.last_used_from) for found in tx.credentials.of(ada)]
        assert used == [(50, "192.0.2.1"), (60, "192.0.2.3")]


def test_refresh_tokens_go_when_they_are_over(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        ada = tx.accounts.add_user("ada", password=None).id
        tx.credentials.add(number(0), ada, "pat", secret_hash="0", expires_at=1)
        tx.credentials.add(number(1), ada, "refresh", secret_hash="1", expires_at=clock.now)
        tx.credentials.add(number(2), ada, "refresh", secret_hash="2", expires_at=clock.now + HOUR)
        tx.credentials.add(number(3), ada, "refresh", secret_hash="3", expires_at=clock.now + HOUR)
        tx.credentials.add(number(4), ada, "refresh", secret_hash="4")
        tx.credentials.revoke(number(3))
        assert tx.credentials.purge(clock.now) == 0
        with planned(catalog) as plan:
            assert tx.credentials.purge(clock.now + 1) == 2
        assert scans(plan) == []
        assert [found.id for found in tx.credentials.of(ada)] == [number(0), number(2), number(4)]
