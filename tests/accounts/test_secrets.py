"""Tokens: shown once, narrowed, expiring, two at a time for a robot, revoked by id or by themselves."""

from datetime import timedelta

import pytest

from auth.policy import ALL, NONE, Right
from auth.secrets import SecretKind, hash_secret, kind_of
from registry.accounts.errors import AccountsError
from tests.accounts.desk import ME, Desk

DAY = 86_400_000_000


@pytest.fixture(autouse=True)
def _owners(desk: Desk) -> None:
    desk.user("ada")
    desk.organizations.add("acme", ME)
    desk.robots.add("acme+ci", ME)


def test_a_user_s_token_with_all_that_narrows_it(desk: Desk) -> None:
    issued = desk.secrets.issue(
        "ada",
        ME,
        label="laptop",
        rights=Right.PULL | Right.PUSH,
        repositories=["acme/app", "acme/*", "acme/app"],
        lifetime=timedelta(days=30),
    )
    assert kind_of(issued.secret) is SecretKind.PAT
    assert issued.secret not in repr(issued)
    credential = issued.credential
    assert (credential.kind, credential.label, credential.rights) == ("pat", "laptop", 3)
    assert credential.repositories == ("acme/app", "acme/*")
    assert credential.expires_at == desk.clock.now + 30 * DAY
    with desk.catalog.read() as tx:
        assert tx.credentials.by_hash(hash_secret(issued.secret))[0] == credential
    assert desk.trail()[-1] == f"token.create {credential.id} of ada: pull,push on acme/app acme/*"
    assert issued.secret.encode() not in b"".join(desk.lines)


@pytest.mark.parametrize(
    ("owner", "kind", "stored"), [("ada", SecretKind.PAT, "pat"), ("acme+ci", SecretKind.ROBOT, "robot")]
)
def test_by_default_a_secret_is_good_for_everything_its_owner_may_for_90_days(
    desk: Desk, owner: str, kind: SecretKind, stored: str
) -> None:
    issued = desk.secrets.issue(owner, ME)
    assert kind_of(issued.secret) is kind
    credential = issued.credential
    assert (credential.kind, credential.rights, credential.repositories) == (stored, None, None)
    assert credential.expires_at == desk.clock.now + 90 * DAY
    assert desk.secrets.issue("ada", ME, rights=Right.ADMIN).credential.rights is None
    assert desk.trail()[-1].endswith(" of ada: all rights")


def test_only_a_user_s_token_may_never_expire(desk: Desk) -> None:
    assert desk.secrets.issue("ada", ME, lifetime=None).credential.expires_at is None
    with pytest.raises(AccountsError) as refused:
        desk.secrets.issue("acme+ci", ME, lifetime=None)
    assert str(refused.value) == "a robot's secret has to expire; name a time, such as --expires 90d"


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=-1), timedelta(days=3651)])
def test_a_lifetime_is_one(desk: Desk, lifetime: timedelta) -> None:
    with pytest.raises(AccountsError) as refused:
        desk.secrets.issue("ada", ME, lifetime=lifetime)
    assert str(refused.value) == "a token expires after 3650 days at the latest, and not at once"


def test_a_robot_has_two_live_secrets_so_that_one_can_take_over(desk: Desk) -> None:
    first, second = (desk.secrets.issue("acme+ci", ME).credential.id for _ in range(2))
    with pytest.raises(AccountsError) as refused:
        desk.secrets.issue("acme+ci", ME)
    assert str(refused.value) == (
        "acme+ci has 2 live secrets, which is the most there can be; revoke one first"
        " (`moorage token list acme+ci`): moorage token revoke ID"
    )
    desk.secrets.revoke(first, ME)
    third = desk.secrets.issue("acme+ci", ME, lifetime=timedelta(days=1)).credential.id
    desk.clock.now += DAY
    fourth = desk.secrets.issue("acme+ci", ME).credential.id  # the third has expired meanwhile
    states = {each.credential.id: each.state for each in desk.secrets.list("acme+ci")}
    assert states == {first: "revoked", second: "live", third: "expired", fourth: "live"}


def test_a_user_has_fifty_live_tokens_and_logins_do_not_count(desk: Desk) -> None:
    desk.login("ada")
    for _ in range(50):
        desk.secrets.issue("ada", ME)
    with pytest.raises(AccountsError, match="ada has 50 live secrets"):
        desk.secrets.issue("ada", ME)


@pytest.mark.parametrize("pattern", ["*", "", "Acme/app", "acme/**", "acme/*/app", "/*", "acme/", "a b", "acme/app:1"])
def test_patterns_are_names_or_all_below_one(desk: Desk, pattern: str) -> None:
    with pytest.raises(AccountsError) as refused:
        desk.secrets.issue("ada", ME, repositories=[pattern])
    assert str(refused.value).startswith(
        "a token is limited to repositories such as team/app, or to all below a name, such as team/*; got "
    )


def test_there_are_not_too_many_patterns(desk: Desk) -> None:
    names = [f"acme/{number}" for number in range(33)]
    desk.secrets.issue("ada", ME, repositories=names[:32])
    with pytest.raises(AccountsError, match="32 repositories or patterns at most"):
        desk.secrets.issue("ada", ME, repositories=names)


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("x" * 65, "a label has at most 64 printable characters"),
        ("a\nb", "a label has at most 64 printable characters"),
        ("mrg_pat_" + "x" * 43, "a label is shown in lists; do not put a secret in it"),
    ],
)
def test_a_label_is_one(desk: Desk, label: str, sentence: str) -> None:
    with pytest.raises(AccountsError) as refused:
        desk.secrets.issue("ada", ME, label=label)
    assert str(refused.value) == sentence


def test_who_can_have_no_token(desk: Desk) -> None:
    with pytest.raises(AccountsError, match="give it some, such as --rights pull"):
        desk.secrets.issue("ada", ME, rights=NONE)
    with pytest.raises(AccountsError) as refused:
        desk.secrets.issue("acme", ME, rights=ALL)
    assert str(refused.value) == (
        "acme is an organisation, and nobody signs in as one; name a user,"
        " or one of its robots (acme+ROBOT, see `moorage robot list acme`)"
    )
    with pytest.raises(AccountsError, match="there is no user nobody"):
        desk.secrets.issue("nobody", ME)
    with pytest.raises(AccountsError, match=r"there is no robot acme\+cd"):
        desk.secrets.issue("acme+cd", ME)
    desk.people.disable("ada", ME)
    desk.robots.disable("acme+ci", ME)
    with pytest.raises(AccountsError) as refused:
        desk.secrets.issue("ada", ME)
    assert str(refused.value) == "ada is disabled; first: moorage user enable ada"
    with pytest.raises(AccountsError) as refused:
        desk.secrets.issue("acme+ci", ME)
    assert str(refused.value) == "acme+ci is disabled; first: moorage robot enable acme+ci"


def test_all_are_listed_with_their_owners(desk: Desk) -> None:
    desk.user("bob")
    ids = [desk.secrets.issue(owner, ME).credential.id for owner in ("ada", "bob", "acme+ci")]
    ids.insert(1, desk.login("ada"))
    found = desk.secrets.list()
    assert [each.owner for each in found] == ["ada", "ada", "bob", "acme+ci"]
    assert sorted(each.credential.id for each in found) == sorted(ids)
    assert [each.owner for each in desk.secrets.list("bob")] == ["bob"]


def test_what_was_found_lying_about_is_revoked_by_itself(desk: Desk) -> None:
    issued = desk.secrets.issue("acme+ci", ME)
    revoked = desk.secrets.revoke(issued.secret, ME)
    assert (revoked.owner, revoked.state) == ("acme+ci", "revoked")
    assert [each.state for each in desk.secrets.list("acme+ci")] == ["revoked"]
    assert desk.trail()[-1] == f"token.revoke {issued.credential.id} of acme+ci: all rights"
    assert desk.secrets.revoke(issued.credential.id, ME).owner == "acme+ci"  # a second time harms nobody


@pytest.mark.parametrize(
    ("which", "sentence"),
    [
        ("0123456789abcdef", "there is no token with the id 0123456789abcdef; `moorage token list` shows the ids"),
        ("mrg_pat_" + "x" * 43, "there is no token with that id, and none that is that secret; `moorage token list`"),
        ("laptop", "there is no token with that id, and none that is that secret; `moorage token list` shows the ids"),
    ],
)
def test_what_is_not_there_is_told_and_not_repeated(desk: Desk, which: str, sentence: str) -> None:
    with pytest.raises(AccountsError) as refused:
        desk.secrets.revoke(which, ME)
    assert str(refused.value).startswith(sentence)
