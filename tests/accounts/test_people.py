"""Users: made, shut out, made administrators, removed; never the last who could undo it."""

import pytest

from registry.accounts.errors import AccountsError
from registry.catalog.errors import CatalogUnavailable
from tests.accounts.desk import ME, PASSWORD, Desk


def test_a_user_is_added_with_a_hash_of_the_password(desk: Desk) -> None:
    account = desk.people.add("ada", PASSWORD, ME)
    assert (account.name, account.administrator, account.disabled) == ("ada", False, False)
    assert desk.hasher.verify(account.password or "", PASSWORD)
    assert desk.people.add("eve", PASSWORD, ME, administrator=True).administrator
    assert [each.name for each in desk.people.list()] == ["ada", "eve"]
    assert desk.trail() == ["user.add ada", "user.add eve, an administrator"]
    assert PASSWORD.encode() not in b"".join(desk.lines)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Ada", "lower-case letters and digits, joined by single dots, dashes or underscores; got 'Ada'; try ada"),
        ("a", "a name has 2 to 64 characters"),
        ("ada+x", "got 'ada+x'"),
        ("A_", "got 'A_'"),
        ("anonymous", "the name anonymous is reserved"),
        ("a\nb", "got 'a\\nb'"),
    ],
)
def test_a_name_that_is_none_is_refused_with_what_one_is(desk: Desk, name: str, advice: str) -> None:
    with pytest.raises(AccountsError) as refused:
        desk.people.add(name, PASSWORD, ME)
    assert str(refused.value).endswith(advice) or advice in str(refused.value)
    assert desk.trail() == []


def test_a_weak_password_is_refused_and_not_repeated(desk: Desk) -> None:
    with pytest.raises(AccountsError) as refused:
        desk.people.add("ada", "hunter2", ME)
    assert str(refused.value) == "this password cannot be used: a password has 12 to 1024 characters"
    assert desk.people.list() == []


def test_users_and_organizations_share_one_set_of_names(desk: Desk) -> None:
    desk.people.add("ada", PASSWORD, ME)
    desk.organizations.add("acme", ME)
    sentence = "the name {} is taken: it is {}. Users and organisations share one set of names"
    for name, what in (("ada", "a user"), ("acme", "an organisation")):
        with pytest.raises(AccountsError) as refused:
            desk.people.add(name, PASSWORD, ME)
        assert str(refused.value) == sentence.format(name, what)
        with pytest.raises(AccountsError) as refused:
            desk.organizations.add(name, ME)
        assert str(refused.value) == sentence.format(name, what)


def test_nobody_becomes_the_owner_of_what_is_there_by_accident(desk: Desk) -> None:
    desk.push("team/app")
    with pytest.raises(AccountsError) as refused:
        desk.people.add("team", PASSWORD, ME)
    assert str(refused.value) == "1 repository below team/ would become team's own; if that is meant, say --adopt"
    desk.push("team/other")
    with pytest.raises(AccountsError, match=r"2 repositories below team/"):
        desk.people.add("team", PASSWORD, ME)
    assert desk.people.add("team", PASSWORD, ME, adopt=True).name == "team"


def test_what_a_user_is_part_of(desk: Desk) -> None:
    for name in ("ada", "bob"):
        desk.user(name)
    desk.organizations.add("acme", ME, owners=["ada"])
    desk.organizations.add("other", ME, owners=["bob"])
    for team in ("acme/devs", "acme/ops", "other/devs"):
        desk.teams.add(team, ME)
    desk.teams.add_member("acme/ops", "ada", ME)
    person = desk.people.show("ada")
    assert [(each.organization, each.role) for each in person.organizations] == [("acme", "owner")]
    assert person.teams == ("acme/ops",)


def test_a_new_password_ends_docker_logins_and_leaves_tokens(desk: Desk) -> None:
    desk.user("ada")
    desk.login("ada")
    desk.login("ada")
    token = desk.secrets.issue("ada", ME).credential.id
    assert desk.people.set_password("ada", PASSWORD, ME) == 2
    assert desk.hasher.verify(desk.people.show("ada").account.password or "", PASSWORD)
    assert [each.credential.id for each in desk.secrets.list("ada") if each.state == "live"] == [token]
    assert desk.trail()[-1] == "user.password ada"
    with pytest.raises(AccountsError, match="12 to 1024"):
        desk.people.set_password("ada", "short", ME)


def test_who_is_disabled_is_out_until_enabled_and_logins_stay_revoked(desk: Desk) -> None:
    desk.user("ada")
    desk.login("ada")
    desk.secrets.issue("ada", ME)
    desk.people.disable("ada", ME)
    assert desk.people.show("ada").account.disabled
    assert [each.state for each in desk.secrets.list("ada")] == ["revoked", "disabled"]
    desk.people.enable("ada", ME)
    assert not desk.people.show("ada").account.disabled
    assert [each.state for each in desk.secrets.list("ada")] == ["revoked", "live"]
    assert [line for line in desk.trail() if line.startswith("user.")] == ["user.disable ada", "user.enable ada"]


@pytest.mark.parametrize(("what", "told"), [("disable", "disabled"), ("demote", "demoted"), ("remove", "removed")])
def test_the_last_administrator_who_can_sign_in_stays(desk: Desk, what: str, told: str) -> None:
    desk.user("admin", administrator=True)
    desk.user("eve", administrator=True)
    desk.people.disable("eve", ME)
    before = desk.trail()
    with pytest.raises(AccountsError) as refused:
        getattr(desk.people, what)("admin", ME)
    assert str(refused.value) == (
        f"admin is the only administrator who can sign in, and cannot be {told}; make another one first:"
        " moorage user promote USER"
    )
    account = desk.people.show("admin").account
    assert (account.disabled, account.administrator, desk.trail()) == (False, True, before)
    desk.user("ada")
    desk.people.promote("ada", ME)
    getattr(desk.people, what)("admin", ME)
    assert desk.trail()[-2:] == ["user.promote ada", f"user.{what} admin"]


@pytest.mark.parametrize("what", ["disable", "demote", "remove"])
def test_any_other_user_may_go_even_where_nobody_administers(desk: Desk, what: str) -> None:
    desk.user("ada")
    getattr(desk.people, what)("ada", ME)


def test_who_owns_images_is_not_removed(desk: Desk) -> None:
    desk.user("ada")
    desk.push("ada/app")
    with pytest.raises(AccountsError) as refused:
        desk.people.remove("ada", ME)
    assert str(refused.value) == (
        "ada still owns 1 repository with images (`moorage repo list ada`), which nobody would own then;"
        " delete the images first"
    )


def test_an_empty_repository_keeps_nobody(desk: Desk) -> None:
    desk.user("ada")
    desk.repositories.create("ada/app", "private", ME)
    desk.people.remove("ada", ME)
    assert desk.people.list() == []


def test_the_only_owner_of_an_organization_is_not_removed(desk: Desk) -> None:
    for name in ("ada", "bob"):
        desk.user(name)
    desk.organizations.add("acme", ME, owners=["ada"])
    desk.organizations.set_member("acme", "bob", "member", ME)
    with pytest.raises(AccountsError) as refused:
        desk.people.remove("ada", ME)
    assert str(refused.value) == (
        "ada is the only owner of acme; give it another one first: moorage org member-add acme USER --role owner"
    )
    desk.people.remove("bob", ME)
    desk.user("eve")
    desk.organizations.set_member("acme", "eve", "owner", ME)
    desk.people.remove("ada", ME)
    assert desk.trail()[-1] == "user.remove ada"


@pytest.mark.parametrize("what", ["show", "disable", "enable", "promote", "demote", "remove"])
def test_who_is_not_there_is_told(desk: Desk, what: str) -> None:
    origin = () if what == "show" else (ME,)
    with pytest.raises(AccountsError) as refused:
        getattr(desk.people, what)("nobody", *origin)
    assert str(refused.value) == "there is no user nobody; `moorage user list` shows who there is"
    desk.organizations.add("acme", ME)
    with pytest.raises(AccountsError) as refused:
        getattr(desk.people, what)("acme", *origin)
    assert str(refused.value) == "acme is an organisation, not a user; `moorage user list` shows who there is"


def test_a_secret_in_a_name_s_place_is_not_repeated(desk: Desk) -> None:
    desk.user("ada")
    secret = desk.secrets.issue("ada", ME).secret
    with pytest.raises(AccountsError) as refused:
        desk.people.show(f"ada:{secret}")
    assert str(refused.value) == "there is no user (a secret); `moorage user list` shows who there is"


def test_nothing_is_done_that_is_not_in_the_trail(desk: Desk) -> None:
    with desk.catalog.begin() as tx:
        tx._connection.exec_driver_sql("DROP TABLE audit")
    with pytest.raises(CatalogUnavailable):
        desk.people.add("ada", PASSWORD, ME)
    assert desk.people.list() == []
