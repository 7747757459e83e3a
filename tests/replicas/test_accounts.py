"""Accounts on two replicas: tokens and keys of one are the other's too, and what is taken away is gone at both.

Rights are changed as an operator does at a shell, in a process of its own; the requests go to the replicas in turn.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from auth.keys import MasterKey
from auth.policy import Kind
from auth.scopes import Scope
from auth.tokens import LEEWAY, Issuer
from registry.accounts.keys import KeyRing
from registry.catalog.engine import connect
from tests.access.live import ADMIN, Live
from tests.access.taking import WAYS, by_basic, may_pull, somebody
from tests.access.world import OPERATOR, PASSWORD, Accounts, basic, bearer
from tests.parts.ceph import Ceph
from tests.parts.postgres import Postgres
from tests.parts.replicas import Replicas, shared_parts, start_replicas

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]

NAME = "team/app"
MANIFEST = f"/v2/{NAME}/manifests/latest"
PULL = f"repository:{NAME}:pull"
LIFETIME = 300  # of a token by default, in seconds
KEYS_WITHIN = 8.0  # seconds; the ring is read every 5 to 5.5 of them


@dataclass(frozen=True, slots=True)
class Everywhere(Live):
    """All replicas behind their proxy."""

    replicas: Replicas

    @property
    def port(self) -> int:
        """Where requests go."""
        return self.replicas.proxy.port

    def each(self) -> list[Live]:
        """Give the replicas one by one."""
        return [Live(server, self.accounts) for server in self.replicas.servers]

    def ring(self) -> KeyRing:
        """Give the keys that sign, as a third process has them."""
        master = MasterKey.parse(self.replicas.shared.master_key)
        return KeyRing(self.accounts.catalog, master, self.accounts.audit)


@pytest.fixture(scope="module")
def running(postgres: Postgres, ceph: Ceph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everywhere]:
    with (
        shared_parts(postgres, ceph) as shared,
        start_replicas(shared, tmp_path_factory.mktemp("accounts"), accounts=True) as replicas,
        closing(connect(shared.address, pool_size=4)) as database,
    ):
        everywhere = Everywhere(replicas.servers[0], Accounts(database), replicas)
        everywhere.stock(NAME, b"a blob")
        everywhere.accounts.organizations.add("team", OPERATOR)
        yield everywhere


def test_a_token_of_one_is_good_at_the_other(running: Everywhere) -> None:
    one, other = running.each()
    token = one.token(ADMIN, f"repository:{NAME}:pull,push")
    assert other.call("GET", MANIFEST, token).status == 200
    opened = other.call("POST", f"/v2/{NAME}/blobs/uploads/", token)
    assert opened.status == 202
    assert one.call("GET", opened.headers["location"], other.token(ADMIN, f"{PULL},push")).status == 204
    assert [json.loads(each.call("GET", "/.well-known/jwks.json").body) for each in (one, other)] == [
        running.ring().jwks()
    ] * 2


@pytest.mark.parametrize("way", WAYS)
def test_what_is_taken_away_is_gone_at_both_at_once(running: Everywhere, way: str) -> None:
    """Basic and new tokens at once; a token that is out is good for its lifetime, by the claim that it carries."""
    headers, take = somebody(running.accounts, NAME, way)
    for where in (*running.each(), running):
        assert may_pull(where, NAME, headers) == by_basic(where, NAME, headers) == {True}
    old = running.token(headers, PULL)
    take()
    for where in (*running.each(), running):
        assert by_basic(where, NAME, headers) == may_pull(where, NAME, headers) == {False}
    assert running.call("GET", MANIFEST, old).status == 200
    running.accounts.forgive()


def test_a_token_lives_no_longer_than_its_lifetime_and_the_leeway(running: Everywhere) -> None:
    """The bound of a right that was taken away: signed so long ago, a token is refused by every replica."""
    running.accounts.user("late", ("pull", "team"))
    signing = running.ring().signing()
    issuer = Issuer(issuer="moorage", audience="moorage", lifetime=LIFETIME)
    for age, status in ((LIFETIME + LEEWAY - 10, 200), (LIFETIME + LEEWAY + 1, 401)):
        token = issuer.issue(
            signing,
            subject="late",
            kind=Kind.USER,
            credential=None,
            scopes=(Scope("repository", NAME, ("pull",)),),
            now=int(time.time()) - age,
            token_id=f"{age:032x}",
        )
        assert [each.call("GET", MANIFEST, bearer(token)).status for each in running.each()] == [status] * 2
    issued = json.loads(running.call("GET", f"/token?service=moorage&scope={PULL}", basic("late", PASSWORD)).body)
    assert issued["expires_in"] == LIFETIME


def test_guesses_are_counted_for_both_together(running: Everywhere) -> None:
    """Ten in five minutes; one more for each replica may be under way at the tenth."""
    running.accounts.user("guy")
    wrong = basic("guy", "not-the-right-rope")
    statuses = [running.call("GET", "/token?service=moorage", wrong).status for _ in range(20)]
    assert statuses[:10] == [401] * 10
    assert statuses[12:] == [429] * 8
    running.accounts.forgive()


def test_keys_turn_without_a_refusal(running: Everywhere) -> None:
    """Tokens signed before and after a rotation, by either replica, are good at both at every moment."""
    tokens = [each.token(ADMIN, PULL) for each in running.each()]
    for _ in range(2):
        running.ring().rotate(OPERATOR)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            tokens[-1:] = [each.token(ADMIN, PULL) for each in running.each()]
            for token in tokens:
                assert [each.call("GET", MANIFEST, token).status for each in running.each()] == [200, 200]


def test_keys_that_are_reset_end_every_token_at_both(running: Everywhere) -> None:
    tokens = [each.token(ADMIN, PULL) for each in running.each()]
    running.ring().reset(OPERATOR)
    begun = time.monotonic()
    while {each.call("GET", MANIFEST, token).status for each in running.each() for token in tokens} != {401}:
        assert time.monotonic() - begun < KEYS_WITHIN
        time.sleep(0.1)
    print(f"reset keys: the last old token was refused after {time.monotonic() - begun:.1f} s")
    for each in running.each():
        token = each.token(ADMIN, PULL)
        assert [where.call("GET", MANIFEST, token).status for where in running.each()] == [200, 200]
