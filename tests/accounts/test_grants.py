"""Grants and repositories: who is given what, where, and how that is told."""

import pytest

from auth.policy import NONE, ROLES, Right
from registry.accounts.errors import AccountsError
from tests.accounts.desk import ME, Desk

WRITE = ROLES["write"]


@pytest.fixture(autouse=True)
def _world(desk: Desk) -> None:
    desk.user("ada")
    desk.organizations.add("acme", ME)
    desk.teams.add("acme/devs", ME)
    desk.robots.add("acme+ci", ME)
    desk.repositories.create("acme/app", "private", ME)
    desk.repositories.create("acme/other", "private", ME)


@pytest.mark.parametrize(("subject", "kind"), [("ada", "user"), ("acme/devs", "team"), ("acme+ci", "robot")])
@pytest.mark.parametrize(
    ("target", "told"),
    [("acme/app", "acme/app"), ("acme", "acme/*"), ("acme/", "acme/*"), ("acme/*", "acme/*"), ("ada", "ada/*")],
)
def test_every_subject_on_every_target(desk: Desk, subject: str, kind: str, target: str, told: str) -> None:
    line = desk.grants.put(subject, WRITE, target, ME)
    assert (line.subject, line.kind, line.target, line.rights) == (subject, kind, told, WRITE.value)
    assert (line.granted_at, line.granted_by) == (desk.clock.now, "root")
    assert desk.grants.list() == [line]
    assert desk.trail()[-1] == f"grant.put {subject}: pull,push,create on {told}"
    again = desk.grants.put(subject, Right.PULL, target, ME)
    assert again.rights == Right.PULL.value
    desk.grants.remove(subject, target, ME)
    assert desk.grants.list() == []
    assert desk.trail()[-1] == f"grant.remove {subject}: pull on {told}"


def test_the_trail_knows_the_repository(desk: Desk) -> None:
    desk.grants.put("ada", WRITE, "acme/app", ME)
    with desk.catalog.read() as tx:
        assert [line.event.action for line in tx.audit.page(repository="acme/app")] == [
            "grant.put",
            "repository.create",
        ]


def test_a_repository_without_a_namespace(desk: Desk) -> None:
    desk.repositories.create("busybox", "private", ME)
    assert desk.grants.put("ada", WRITE, "busybox", ME).target == "busybox"
    desk.repositories.create("ada", "private", ME)
    assert desk.grants.put("ada", WRITE, "ada", ME).target == "ada/*"  # what is an account's name means its namespace


def test_the_list_is_of_a_subject_or_of_a_target(desk: Desk) -> None:
    desk.repositories.create("acme/devs", "private", ME)
    one = desk.grants.put("ada", WRITE, "acme/app", ME)
    two = desk.grants.put("acme/devs", WRITE, "acme", ME)
    three = desk.grants.put("acme+ci", WRITE, "acme/other", ME)
    assert desk.grants.list("ada") == [one]
    assert desk.grants.list("acme+ci") == [three]
    assert desk.grants.list("acme") == desk.grants.list("acme/*") == desk.grants.list("acme/") == [two]
    assert desk.grants.list("acme/app") == [one, two]  # with what is granted on all of acme
    assert desk.grants.list("acme/ops") == []
    assert desk.grants.list("Nonsense!") == []


@pytest.mark.parametrize(
    ("subject", "target", "sentence"),
    [
        ("nobody", "acme", "there is no user nobody; `moorage user list` shows who there is"),
        ("acme/ops", "acme", "acme has no team ops; `moorage team list acme` shows its teams"),
        ("acme+cd", "acme", "there is no robot acme+cd;"),
        ("acme", "acme", "acme is an organisation, and nobody signs in as one; name a user, or one of its robots"),
        (
            "ada",
            "acme/new",
            "there is no repository acme/new; make it first (moorage repo create acme/new), or grant the rights on all"
            " of acme",
        ),
        ("ada", "acme/New", "acme/New is no name for a repository: repository names are lower case: try acme/new"),
        (
            "ada",
            "nobody",
            "there is no organisation or user nobody to grant rights on; `moorage org list` and `moorage user list`"
            " show them",
        ),
        ("ada", "nobody/", "there is no organisation or user nobody to grant rights on"),
        ("ada", "acme+ci", "there is no organisation or user acme+ci to grant rights on"),
        ("ada", "Q!", "there is no organisation or user 'Q!' to grant rights on"),
    ],
)
def test_who_or_what_is_not_there_is_told(desk: Desk, subject: str, target: str, sentence: str) -> None:
    for act in (lambda: desk.grants.put(subject, WRITE, target, ME), lambda: desk.grants.remove(subject, target, ME)):
        with pytest.raises(AccountsError) as refused:
            act()
        assert str(refused.value).startswith(sentence)


def test_nothing_is_neither_granted_nor_taken_away(desk: Desk) -> None:
    with pytest.raises(AccountsError) as refused:
        desk.grants.put("ada", NONE, "acme", ME)
    assert str(refused.value) == "there is nothing to grant; to take rights away: moorage grant remove"
    desk.grants.put("ada", WRITE, "acme", ME)
    with pytest.raises(AccountsError) as refused:
        desk.grants.remove("ada", "acme/app", ME)
    assert str(refused.value) == (
        "nothing is granted to ada on acme/app itself; `moorage grant list ada` shows what is"
    )


def test_a_repository_is_made_shown_and_described(desk: Desk) -> None:
    desk.repositories.create("acme/site", "internal", ME, description="The site")
    desk.grants.put("acme/devs", WRITE, "acme", ME)
    desk.grants.put("ada", WRITE, "acme/site", ME)
    view = desk.repositories.show("acme/site")
    assert (view.repository.visibility, view.repository.description) == ("internal", "The site")
    assert view.repository.description_by == "operator"
    assert [line.subject for line in view.grants] == ["acme/devs", "ada"]
    assert desk.repositories.set_visibility("acme/site", "public", ME) == "internal"
    desk.repositories.describe("acme/site", "Our site", ME)
    assert desk.repositories.show("acme/site").repository.description == "Our site"
    desk.repositories.describe("acme/site", "", ME)
    repository = desk.repositories.show("acme/site").repository
    assert (repository.visibility, repository.description, repository.description_by) == ("public", "", "")
    assert [line for line in desk.trail() if line.startswith("repository.")][2:] == [
        "repository.create internal",
        "repository.visibility internal before, public now",
        "repository.describe",
        "repository.describe",
    ]


def test_repositories_are_listed_the_empty_ones_too(desk: Desk) -> None:
    desk.push("ada/tool")
    assert [each.name.value for each in desk.repositories.list()] == ["acme/app", "acme/other", "ada/tool"]
    for namespace in ("ada", "ada/"):
        assert [each.name.value for each in desk.repositories.list(namespace)] == ["ada/tool"]


def test_repositories_that_cannot_be(desk: Desk) -> None:
    repositories = desk.repositories
    with pytest.raises(AccountsError) as refused:
        repositories.create("acme/app", "public", ME)
    assert str(refused.value) == "there is a repository acme/app already; `moorage repo show acme/app`"
    with pytest.raises(AccountsError, match="no name for a repository"):
        repositories.create("acme//app", "public", ME)
    for act in (
        lambda: repositories.create("acme/x", "open", ME),
        lambda: repositories.set_visibility("acme/app", "open", ME),
    ):
        with pytest.raises(AccountsError) as refused:
            act()
        assert str(refused.value) == (
            "a repository is public (everybody pulls), internal (every user does) or private; got open"
        )
    for text in ("x" * 1001, "two\nlines", "\x1b[2J"):
        with pytest.raises(AccountsError, match="a description is one line of at most 1000 characters"):
            repositories.describe("acme/app", text, ME)
        with pytest.raises(AccountsError, match="a description is one line"):
            repositories.create("acme/y", "public", ME, description=text)
    with pytest.raises(AccountsError) as refused:
        repositories.show("acme/new")
    assert str(refused.value) == (
        "there is no repository acme/new; `moorage repo list` shows them, a push or `moorage repo create` makes one"
    )
