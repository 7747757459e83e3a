"""Tokens: what was asked and is allowed, refresh tokens for passwords alone, and what the trail says of them."""

import json

import pytest

from auth.policy import Action, Right
from auth.secrets import SecretKind
from auth.tokens import Claims, Verifier
from registry.accounts import tokens as module
from registry.accounts.advice import Advice
from registry.accounts.first_start import BadAdminPassword, ensure_administrator
from registry.accounts.holders import load_named
from registry.accounts.sign_in import Principal
from registry.accounts.tokens import TokenAnswer
from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable
from registry.catalog.grants import GrantTarget
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName
from tests.accounts.entrance import HOME, Entrance
from tests.catalog.conftest import Clock, address, catalog, clock, database, fast_directory, migrated, place

__all__ = ["Clock", "address", "catalog", "clock", "database", "fast_directory", "migrated", "place"]


@pytest.fixture
def entrance(catalog: Catalog) -> Entrance:
    """ada may pull team/app and has a namespace; team/secret is hidden from her; pub/lic is for everybody."""
    entrance = Entrance(catalog)
    with catalog.begin() as tx:
        for name, visibility in (("team/app", "private"), ("team/secret", "private"), ("pub/lic", "public")):
            tx.repositories.create(RepositoryName.parse(name), visibility)
        app = tx.repositories.get(RepositoryName.parse("team/app")).id
        tx.grants.put(GrantTarget(account_id=tx.accounts.get("ada").id, repository_id=app), Right.PULL.value, by="root")
    return entrance


def claims(entrance: Entrance, answer: TokenAnswer) -> Claims:
    verifier = Verifier(issuer="moorage", audience="hub")
    return verifier.verify(answer.token, entrance.keys.look(), answer.issued_at)


def access(entrance: Entrance, principal: Principal | None, *wanted: str) -> dict[str, str]:
    found = claims(entrance, entrance.tokens.issue(principal, wanted, HOME))
    return {name: ",".join(sorted(actions)) for name, actions in found.access.items()}


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        ("repository:team/app:pull,push", {"team/app": "pull"}),
        ("repository:team/app:*", {"team/app": "pull"}),
        ("repository:team/secret:pull,push,delete", {}),
        ("repository:team/absent:pull,push,delete", {}),
        ("repository:ada/new:pull,push", {"ada/new": "pull,push"}),
        ("repository:ada/new:*", {"ada/new": "delete,pull,push"}),
        ("repository:pub/lic:pull,push", {"pub/lic": "pull"}),
        ("repository:BAD/Name:pull", {}),
        ("repository(plugin):ada/new:pull", {}),
        ("artifact:ada/new:pull", {}),
        ("repository:team/app:pull repository:ada/new:push", {"team/app": "pull", "ada/new": "push"}),
    ],
)
def test_a_token_holds_what_was_asked_and_is_allowed(entrance: Entrance, wanted: str, granted: dict[str, str]) -> None:
    assert access(entrance, entrance.password(), wanted) == granted


def test_nobody_gets_what_is_public(entrance: Entrance) -> None:
    assert access(entrance, None, "repository:pub/lic:pull,push", "repository:team/app:pull") == {"pub/lic": "pull"}
    found = claims(entrance, entrance.tokens.issue(None, ["registry:catalog:*,search,delete"], HOME))
    assert found.subject == "" and found.registry == {"*", "search"}


def test_the_answer_says_what_and_how_long(entrance: Entrance) -> None:
    answer = entrance.tokens.issue(entrance.password(), ["repository:team/app:pull"], HOME)
    found = claims(entrance, answer)
    assert (answer.expires_in, found.expires_at - answer.issued_at) == (300, 300)
    assert [str(scope) for scope in answer.scopes] == ["repository:team/app:pull"]
    assert (found.credential, answer.refresh_token) == (None, None)
    credential, pat = entrance.secret("ada")
    with_pat = entrance.tokens.issue(entrance.sign_in.by_secret("ada", pat, HOME), [], HOME, offline=True)
    assert (claims(entrance, with_pat).credential, with_pat.refresh_token) == (credential, None)


def test_scopes_that_are_none_and_too_many_are_refused(entrance: Entrance) -> None:
    long = [f"repository:{'a' * 250}{number:03}:pull,push,delete" for number in range(33)]
    for wanted in (["nonsense"], long):
        with pytest.raises(RegistryError) as told:
            entrance.tokens.issue(None, wanted, HOME)
        assert told.value.code is ErrorCode.REQUEST_INVALID
    with entrance.catalog.begin() as tx:
        tx.accounts.set_administrator(tx.accounts.get("ada").id, True)
    with pytest.raises(RegistryError, match="do not fit"):
        entrance.tokens.issue(entrance.password(), long[:32], HOME)


def test_a_refresh_token_comes_with_a_password_and_does_what_it_did(entrance: Entrance) -> None:
    answer = entrance.tokens.issue(entrance.password(), [], HOME, offline=True)
    assert answer.refresh_token is not None
    principal = entrance.sign_in.by_refresh(answer.refresh_token, "hub", HOME)
    assert access(entrance, principal, "repository:team/app:pull") == {"team/app": "pull"}
    assert entrance.tokens.issue(principal, [], HOME, offline=True).refresh_token is None
    assert entrance.tokens.issue(None, [], HOME, offline=True).refresh_token is None


def test_the_oldest_refresh_tokens_make_room(entrance: Entrance, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_LIMIT", 2)
    given = []
    for _ in range(3):
        clock.now += 1
        given.append(str(entrance.tokens.issue(entrance.password(), [], HOME, offline=True).refresh_token))
    with pytest.raises(RegistryError):
        entrance.sign_in.by_refresh(given[0], "hub", HOME)
    for secret in given[1:]:
        entrance.sign_in.by_refresh(secret, "hub", HOME)


def test_refresh_tokens_can_be_switched_off(catalog: Catalog) -> None:
    entrance = Entrance(catalog, refresh_lifetime=None)
    assert entrance.tokens.issue(entrance.password(), [], HOME, offline=True).refresh_token is None


def test_a_full_disk_costs_the_refresh_token_and_not_the_token(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal = entrance.password()

    def refuse(*_: object, **__: object) -> None:
        raise CatalogUnavailable("the disk is full")

    monkeypatch.setattr(entrance.catalog, "begin", refuse)
    answer = entrance.tokens.issue(principal, ["repository:team/app:pull"], HOME, offline=True)
    assert answer.refresh_token is None and answer.token


def test_the_trail_tells_logins_and_tokens_and_no_secret(entrance: Entrance) -> None:
    principal = entrance.password()
    answers = [
        entrance.tokens.issue(principal, [], HOME, offline=True),
        entrance.tokens.issue(principal, ["repository:team/app:pull"], HOME),
        entrance.tokens.issue(None, ["repository:team/app:pull"], HOME),
    ]
    told = [json.loads(line) for line in entrance.lines]
    assert [(line["action"], line.get("actor", "")) for line in told] == [
        ("login", "ada"),
        ("token", "ada"),
        ("token", ""),
    ]
    assert told[1]["reason"] == "repository:team/app:pull"
    text = b"".join(entrance.lines)
    for answer in answers:
        assert answer.token.encode() not in text
    assert str(answers[0].refresh_token).encode() not in text


def test_rights_are_asked_again_by_name_and_secret(entrance: Entrance) -> None:
    credential, _ = entrance.secret("ada")
    _, other = "", entrance.secret("team+ci", SecretKind.ROBOT)[0]
    with entrance.catalog.read() as tx:
        assert load_named(tx, "ada", credential).name == "ada"
        assert load_named(tx, "ada", None).name == "ada"
        for name, secret in (("", None), ("bob", None), ("ada", other), ("ada", "0" * 16)):
            assert load_named(tx, name, secret).name == ""
    with entrance.catalog.begin() as tx:
        tx.credentials.revoke(credential)
        assert load_named(tx, "ada", credential).name == ""
    entrance.disable("ada")
    with entrance.catalog.read() as tx:
        assert load_named(tx, "ada", None).name == ""


@pytest.mark.parametrize(
    ("name", "action", "repository", "told"),
    [
        (
            "",
            Action.PULL,
            "team/app",
            "sign in to pull team/app: docker login hub; there may also be no such repository",
        ),
        (
            "ada",
            Action.PULL,
            "team/secret",
            "ada may not pull team/secret, or there is no such repository; ask its owner for access",
        ),
        (
            "ada",
            Action.PUSH,
            "team/absent",
            "ada may not push to team/absent, or there is no such repository; ask its owner for access",
        ),
        ("ada", Action.PUSH, "team/app", "ada lacks the right push on team/app; bob can grant it"),
        ("ada", Action.DELETE_TAG, "team/app", "ada lacks the right delete on team/app; bob can grant it"),
        (
            "ada",
            Action.PUSH,
            "pub/lic",
            "ada lacks the right push on pub/lic; an administrator of this registry can grant it",
        ),
        (
            "ada",
            Action.PULL,
            "team/app",
            "this token may not pull team/app, though ada may; ask for that scope",
        ),
    ],
)
def test_a_refusal_tells_what_may_be_known(
    entrance: Entrance, name: str, action: Action, repository: str, told: str
) -> None:
    with entrance.catalog.begin() as tx:
        bob = tx.accounts.add_user("bob", password=None)
        tx.teams.set_member(tx.accounts.get("team").id, bob.id, "owner")
    assert Advice(entrance.catalog).refused(name, None, action, RepositoryName.parse(repository), host="hub") == told


def test_the_right_to_create_is_named(entrance: Entrance) -> None:
    with entrance.catalog.begin() as tx:
        target = GrantTarget(account_id=tx.accounts.get("ada").id, namespace="team")
        tx.grants.put(target, (Right.PULL | Right.PUSH).value, by="root")
    advice = Advice(entrance.catalog).refused("ada", None, Action.PUSH, RepositoryName.parse("team/absent"), host="hub")
    assert advice.startswith("ada lacks the right push,create on team/absent")


def test_the_first_administrator_is_made_once(catalog: Catalog) -> None:
    entrance = Entrance(catalog)
    given = ensure_administrator(entrance.audit, entrance.hasher, None, HOME)
    assert given is not None and entrance.password(given, "admin").holder.administrator
    assert ensure_administrator(entrance.audit, entrance.hasher, "another good password", HOME) is None
    entrance.password(given, "admin")
    assert given.encode() not in b"".join(entrance.lines)


def test_an_ordinary_user_called_admin_becomes_the_administrator_where_there_is_none(catalog: Catalog) -> None:
    entrance = Entrance(catalog)
    with catalog.begin() as tx:
        tx.accounts.add_user("admin", password="x")
    assert ensure_administrator(entrance.audit, entrance.hasher, "another good password", HOME) is None
    assert entrance.password("another good password", "admin").holder.administrator


def test_a_weak_password_for_the_first_administrator_is_refused(catalog: Catalog) -> None:
    entrance = Entrance(catalog)
    with pytest.raises(BadAdminPassword, match=r"admin\.password"):
        ensure_administrator(entrance.audit, entrance.hasher, "short", HOME)


def test_logins_that_ended_are_forgotten_after_a_while(
    entrance: Entrance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each `docker login` of a busy machine leaves a row, and every next one looks at them all."""
    monkeypatch.setattr(module, "REFRESH_LIMIT", 2)
    principal = entrance.password()
    for _ in range(6):
        entrance.tokens.issue(principal, [], HOME, offline=True)
        clock.now += 1
    assert entrance.tokens.forget_ended() == 0
    clock.now += 3601 * 1_000_000
    assert entrance.tokens.forget_ended() == 4
    with entrance.catalog.read() as tx:
        assert len(tx.credentials.of(principal.account_id)) == 2
