"""Why yes, why no, and what to do about it."""

from datetime import timedelta

import pytest

from auth.policy import Right, parse_rights
from registry.accounts.errors import AccountsError
from registry.accounts.explain import Explanation
from tests.accounts.desk import ME, Desk


@pytest.fixture(autouse=True)
def _world(desk: Desk) -> None:
    for name in ("ada", "bob", "eve"):
        desk.user(name)
    desk.user("admin", administrator=True)
    desk.organizations.add("acme", ME, owners=["ada"])
    desk.organizations.set_member("acme", "bob", "member", ME)
    for team in ("acme/devs", "acme/ops"):
        desk.teams.add(team, ME)
        desk.grants.put(team, Right.PULL | Right.PUSH, "acme", ME)
    desk.teams.add_member("acme/devs", "bob", ME)
    desk.robots.add("acme+ci", ME)
    for visibility in ("public", "internal", "private"):
        desk.repositories.create(f"acme/{visibility}", visibility, ME)


def test_yes_with_all_that_bears_on_it(desk: Desk) -> None:
    desk.grants.put("bob", Right.PULL, "acme/private", ME)
    assert desk.explainer.explain("bob", "push", "acme/private") == Explanation(
        True,
        "bob has push on all of acme",
        (
            "acme/private is private",
            "bob is in the team acme/devs, which has pull,push on acme/*",
            "bob has pull on acme/private",
        ),
    )


@pytest.mark.parametrize(
    ("name", "right", "repository", "because", "fact"),
    [
        ("anonymous", "pull", "acme/public", "the repository is public", "acme/public is public"),
        ("eve", "pull", "acme/internal", "the repository is internal, which every user may pull from", "acme/internal"),
        ("ada", "admin", "acme/new", "ada has admin on all of acme", "ada is an owner of acme"),
        ("eve", "create", "eve/new", "eve is eve's own", "there is no repository eve/new"),
        ("admin", "push", "x", "admin is an administrator", "admin is an administrator"),
    ],
)
def test_other_reasons_for_a_yes(desk: Desk, name: str, right: str, repository: str, because: str, fact: str) -> None:
    found = desk.explainer.explain(name, right, repository)
    assert (found.allowed, found.because, found.advice) == (True, because, "")
    assert any(fact in each for each in found.facts)


@pytest.mark.parametrize(
    ("name", "right", "repository", "because", "advice"),
    [
        (
            "eve",
            "pull",
            "acme/private",
            "nothing gives eve pull on acme/private",
            "ada, or an administrator can grant it: moorage grant add eve pull acme/private",
        ),
        (
            "acme+ci",
            "push",
            "acme/new",
            "nothing gives acme+ci push,create on acme/new",
            "ada, or an administrator can grant it: moorage grant add acme+ci push,create acme",
        ),
        ("acme+ci", "pull", "acme/internal", "nothing gives acme+ci pull on acme/internal", "ada, or an administrator"),
        (
            "bob",
            "push",
            "other/app",
            "nothing gives bob push,create on other/app",
            "there is no user or organisation other either: moorage org add other",
        ),
        (
            "bob",
            "push",
            "app",
            "nothing gives bob push,create on app",
            "nobody owns names without a slash: use one such as NAMESPACE/app",
        ),
        (
            "anonymous",
            "pull",
            "acme/private",
            "nothing gives anonymous pull on acme/private",
            "sign in (docker login), or let everybody pull: moorage repo visibility acme/private public",
        ),
        (
            "anonymous",
            "pull",
            "acme/new",
            "nothing gives anonymous pull on acme/new",
            "push to it first, or make it: moorage repo create",
        ),
        (
            "anonymous",
            "push",
            "acme/public",
            "nothing gives anonymous push on acme/public",
            "only pulling is ever open to everybody: sign in (docker login)",
        ),
    ],
)
def test_no_with_what_to_do(desk: Desk, name: str, right: str, repository: str, because: str, advice: str) -> None:
    found = desk.explainer.explain(name, right, repository)
    assert (found.allowed, found.because) == (False, because)
    assert found.advice.startswith(advice)


def test_an_organization_without_owners_is_an_administrator_s_business(desk: Desk) -> None:
    desk.organizations.add("empty", ME)
    found = desk.explainer.explain("bob", "push", "empty/app")
    assert found.advice == "an administrator can grant it: moorage grant add bob push,create empty"


@pytest.mark.parametrize("name", ["eve", "bob", "acme+ci"])
@pytest.mark.parametrize("repository", ["acme/private", "acme/new"])
@pytest.mark.parametrize("right", ["pull", "push", "create", "delete", "admin"])
def test_the_advice_helps(desk: Desk, name: str, repository: str, right: str) -> None:
    """Whoever follows it gets a yes."""
    found = desk.explainer.explain(name, right, repository)
    if not found.allowed:
        subject, rights, target = found.advice.partition("moorage grant add ")[2].split()
        desk.grants.put(subject, parse_rights(rights), target, ME)
    assert desk.explainer.explain(name, right, repository).allowed


def test_with_a_token_its_limits_count(desk: Desk) -> None:
    def token(**limits: object) -> str:
        return desk.secrets.issue("ada", ME, **limits).credential.id  # type: ignore[arg-type]  # as the case gives them

    explain = desk.explainer.explain
    assert explain("ada", "push", "acme/private", token=token()).allowed
    narrow = explain("ada", "push", "acme/private", token=token(rights=Right.PULL))
    assert (narrow.allowed, narrow.because) == (False, "the token is limited to pull")
    assert narrow.advice == "make a token that is less limited: moorage token create ada"
    elsewhere = token(repositories=["other/*"])
    assert explain("ada", "push", "acme/private", token=elsewhere).because == "the token is limited to other/*"
    assert explain("ada", "pull", "acme/public", token=elsewhere).allowed
    short = token(lifetime=timedelta(seconds=1))
    desk.clock.now += 1_000_000
    assert explain("ada", "push", "acme/private", token=short) == Explanation(
        False, f"the token {short} has expired", advice="make another: moorage token create ada"
    )
    desk.secrets.revoke(elsewhere, ME)
    assert explain("ada", "push", "acme/private", token=elsewhere).because == f"the token {elsewhere} was revoked"
    for name, other in (("bob", elsewhere), ("ada", "0123456789abcdef")):
        with pytest.raises(AccountsError) as refused:
            explain(name, "push", "acme/private", token=other)
        assert str(refused.value) == (f"{name} has no token with that id; `moorage token list {name}` shows the ids")


@pytest.mark.parametrize(("name", "group"), [("ada", "user"), ("acme+ci", "robot")])
def test_who_is_disabled_may_what_everybody_may(desk: Desk, name: str, group: str) -> None:
    (desk.people if group == "user" else desk.robots).disable(name, ME)
    assert desk.explainer.explain(name, "pull", "acme/private") == Explanation(
        False, f"{name} is disabled", advice=f"let it in again: moorage {group} enable {name}"
    )
    assert desk.explainer.explain(name, "pull", "acme/public") == Explanation(
        True, "the repository is public", (f"{name} is disabled",)
    )


@pytest.mark.parametrize(
    ("name", "right", "repository", "sentence"),
    [
        ("ada", "write", "acme/app", "the right is one of pull, push, create, delete and admin; got write"),
        ("ada", "read", "acme/app", "the right is one of pull, push, create, delete and admin; got read"),
        ("ada", "fly", "acme/app", "the right is one of pull, push, create, delete and admin; got fly"),
        ("ada", "pull", "Acme/app", "Acme/app is no name for a repository: repository names are lower case"),
        ("nobody", "pull", "acme/app", "there is no user nobody"),
        ("acme", "pull", "acme/app", "acme is an organisation, and nobody signs in as one"),
    ],
)
def test_questions_that_are_none(desk: Desk, name: str, right: str, repository: str, sentence: str) -> None:
    with pytest.raises(AccountsError) as refused:
        desk.explainer.explain(name, right, repository)
    assert str(refused.value).startswith(sentence)
