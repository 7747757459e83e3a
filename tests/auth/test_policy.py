"""Who may do what: the rules one by one, then what holds for every holder and every place."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.policy import (
    ALL,
    ANONYMOUS,
    NEEDS,
    NONE,
    ROLES,
    Action,
    Decision,
    Holder,
    InvalidRights,
    Kind,
    Limits,
    Place,
    Reach,
    Right,
    Visibility,
    decide,
    namespace_of,
    parse_rights,
    reach,
    rights_text,
)

PULL, PUSH, CREATE, DELETE, ADMIN = Right.PULL, Right.PUSH, Right.CREATE, Right.DELETE, Right.ADMIN
PUBLIC, INTERNAL, PRIVATE = Visibility.PUBLIC, Visibility.INTERNAL, Visibility.PRIVATE
TEAM_APP = Place("team/app", PRIVATE)

NAMES = st.sampled_from(["team/app", "team/web", "team/deep/app", "teams/app", "ada/app", "bob/app", "app", "team"])
NAMESPACES = st.sampled_from(["team", "teams", "ada", "bob", "app", ""])
RIGHTS = st.sampled_from([Right(value) for value in range(ALL.value + 1)])
PATTERNS = st.sampled_from(["team/app", "team/*", "team/deep/*", "ada/*", "app", "*", "", "/*"])
PLACES = st.builds(Place, NAMES, st.sampled_from([PUBLIC, INTERNAL, PRIVATE, None]))
LIMITS = st.builds(Limits, RIGHTS, st.none() | st.lists(PATTERNS, max_size=3).map(tuple))
HOLDERS = st.builds(
    Holder,
    st.sampled_from(["", "ada", "team+ci"]),
    st.sampled_from(Kind),
    st.booleans(),
    st.dictionaries(NAMESPACES, RIGHTS, max_size=3),
    st.dictionaries(NAMES, RIGHTS, max_size=3),
    LIMITS,
)


def ada(
    namespaces: Mapping[str, Right] | None = None,
    repositories: Mapping[str, Right] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - a frozen value
) -> Holder:
    return Holder("ada", Kind.USER, namespaces=namespaces or {}, repositories=repositories or {}, limits=limits)


@given(RIGHTS.filter(bool))
def test_rights_are_read_as_they_are_written(rights: Right) -> None:
    assert parse_rights(rights_text(rights)) == (ALL if ADMIN in rights else rights)


@given(st.text(alphabet="pulshcreatdminw,n *") | st.text())
def test_any_text_is_rights_or_invalid(text: str) -> None:
    try:
        rights = parse_rights(text)
    except InvalidRights as error:
        assert "pull, push, create, delete, admin, read, write, maintain" in str(error)
    else:
        assert rights
        assert parse_rights(rights_text(rights)) == rights


def test_rights_and_roles_mix() -> None:
    assert parse_rights("pull, push") == PULL | PUSH
    assert parse_rights("read,delete") == PULL | DELETE
    assert [parse_rights(role) for role in ROLES] == list(ROLES.values())
    assert rights_text(CREATE | PULL) == "pull,create"
    assert rights_text(NONE) == "nothing"


@pytest.mark.parametrize("text", ["", ",", "pull,", "pull;push", "Pull", "nothing", "owner", "31"])
def test_what_is_no_right_is_refused(text: str) -> None:
    with pytest.raises(InvalidRights):
        parse_rights(text)


@pytest.mark.parametrize(
    ("repository", "namespace"),
    [("team/app", "team"), ("team/deep/app", "team"), ("app", ""), ("", ""), ("/app", ""), ("team/", "team")],
)
def test_a_namespace_is_what_is_before_the_first_slash(repository: str, namespace: str) -> None:
    assert namespace_of(repository) == namespace


def test_actions_on_repositories_need_a_right() -> None:
    assert set(Action) - set(NEEDS) == {Action.ANYONE, Action.PING, Action.CATALOG, Action.SEARCH}
    assert NEEDS[Action.DELETE_REPOSITORY] == ADMIN


@pytest.mark.parametrize(
    ("holder", "right", "place", "allowed", "because"),
    [
        (ANONYMOUS, PULL, Place("team/app", PUBLIC), True, "the repository is public"),
        (ANONYMOUS, PULL, Place("team/app", INTERNAL), False, "nothing gives anonymous pull on team/app"),
        (ANONYMOUS, PUSH, Place("team/app", PUBLIC), False, "nothing gives anonymous push on team/app"),
        (ANONYMOUS, PULL, Place("team/app", None), False, "nothing gives anonymous pull on team/app"),
        (ada(), PULL, Place("a/b", INTERNAL), True, "the repository is internal, which every user may pull from"),
        (ada(), PUSH, Place("a/b", INTERNAL), False, "nothing gives ada push on a/b"),
        (Holder("t+ci", Kind.ROBOT), PULL, Place("a/b", INTERNAL), False, "nothing gives t+ci pull on a/b"),
        (ada({"team": PUSH}), PUSH, TEAM_APP, True, "ada has push on all of team"),
        (ada({"team": PUSH}), PULL, TEAM_APP, False, "nothing gives ada pull on team/app"),
        (ada({"ada": ALL}), DELETE, Place("ada/app", PRIVATE), True, "ada is ada's own"),
        (ada({}, {"team/app": PULL}), PULL, TEAM_APP, True, "ada has pull on team/app"),
        (ada({}, {"team/app": PULL}), PULL, Place("team/web", PRIVATE), False, "nothing gives ada pull on team/web"),
        (ada({"team": ADMIN}), DELETE, TEAM_APP, True, "ada has delete on all of team"),
        (ada({}, {"team/app": ADMIN}), ADMIN, TEAM_APP, True, "ada has admin on team/app"),
        (ada({"team": PUSH}), PUSH, Place("team/new", None), False, "nothing gives ada push,create on team/new"),
        (ada({"team": PUSH | CREATE}), PUSH, Place("team/new", None), True, "ada has push,create on all of team"),
        (
            ada({"team": CREATE}, {"team/new": PUSH}),
            PUSH,
            Place("team/new", None),
            True,
            "ada has push,create on team/new and all of team together",
        ),
        (ada({"": ALL}), PUSH, Place("app", PRIVATE), False, "nothing gives ada push on app"),
        (ada({"": ALL}, {"app": PUSH}), PUSH, Place("app", PRIVATE), True, "ada has push on app"),
        (Holder("root", Kind.USER, True), PUSH, Place("app", None), True, "root is an administrator"),
        (Holder("root", Kind.USER, True, limits=Limits(PULL)), PUSH, TEAM_APP, False, "the token is limited to pull"),
        (ada({"team": ALL}, limits=Limits(NONE)), PULL, TEAM_APP, False, "the token is limited to nothing"),
        (
            ada({"team": ALL}, limits=Limits(ALL, ("b/c", "d/*"))),
            PULL,
            TEAM_APP,
            False,
            "the token is limited to b/c, d/*",
        ),
        (ada({"team": ALL}, limits=Limits(ALL, ())), PULL, TEAM_APP, False, "the token is limited to no repository"),
        (ada({"team": ALL}, limits=Limits(PUSH)), PUSH, Place("team/new", None), False, "the token is limited to push"),
        (ada(limits=Limits(NONE, ())), PULL, Place("team/app", PUBLIC), True, "the repository is public"),
        (ada({"team": ALL}), NONE, TEAM_APP, False, "nothing gives ada nothing on team/app"),
    ],
)
def test_a_decision_and_its_reason(holder: Holder, right: Right, place: Place, allowed: bool, because: str) -> None:
    assert decide(holder, right, place) == Decision(allowed, because)
    assert bool(decide(holder, right, place)) is allowed


@pytest.mark.parametrize(
    ("pattern", "repository", "allowed"),
    [
        ("team/app", "team/app", True),
        ("team/app", "team/app2", False),
        ("team/app", "team/app/web", False),
        ("team/*", "team/app", True),
        ("team/*", "team/deep/app", True),
        ("team/*", "teams/app", False),
        ("team/*", "team", False),
        ("*", "team/app", False),
        ("te*", "team/app", False),
        ("", "team/app", False),
    ],
)
def test_patterns(pattern: str, repository: str, allowed: bool) -> None:
    assert Limits(repositories=(pattern,)).allow(PULL, repository) is allowed
    assert Limits(repositories=("x/y", pattern)).allow(PULL, repository) is allowed


def test_a_limit_of_admin_lets_everything_through() -> None:
    assert all(Limits(ADMIN).allow(right, "team/app") for right in Right)


def test_reach_names_what_a_list_is_asked_by() -> None:
    holder = ada({"team": PULL, "bob": ADMIN, "ops": PUSH, "": ALL}, {"a/b": PULL, "c/d": PUSH, "app": ALL})
    assert reach(holder) == Reach(False, True, True, frozenset({"team", "bob"}), frozenset({"a/b", "app"}), Limits())
    assert not reach(ada({"": ALL})).covers(Place("app", PRIVATE))
    assert reach(ANONYMOUS) == Reach(False, True, False, frozenset(), frozenset(), Limits())
    assert reach(Holder("root", Kind.USER, True)).everything
    pusher = replace(holder, administrator=True, limits=Limits(PUSH))
    assert reach(pusher) == Reach(False, True, False, frozenset(), frozenset(), Limits(PUSH))


@given(HOLDERS, PLACES)
def test_reach_is_what_may_be_pulled(holder: Holder, place: Place) -> None:
    assert reach(holder).covers(place) == bool(decide(holder, PULL, place))


@given(HOLDERS, RIGHTS, PLACES)
def test_a_credential_is_never_more_than_its_owner_and_never_less_than_none(
    holder: Holder, right: Right, place: Place
) -> None:
    owner, nobody = (bool(decide(who, right, place)) for who in (replace(holder, limits=Limits()), ANONYMOUS))
    limited = bool(decide(holder, right, place))
    assert limited <= (owner or nobody)
    assert limited >= nobody


@given(HOLDERS, LIMITS, RIGHTS, PLACES)
def test_narrower_limits_give_no_more(holder: Holder, other: Limits, right: Right, place: Place) -> None:
    limits = (ALL if ADMIN in limits.rights else limits.rights for limits in (holder.limits, other))
    both = replace(holder.limits, rights=next(limits) & next(limits))
    assert bool(decide(replace(holder, limits=both), right, place)) <= bool(decide(holder, right, place))


@given(HOLDERS, RIGHTS, PLACES, NAMESPACES, NAMES, RIGHTS)
def test_a_grant_takes_nothing_away(
    holder: Holder, right: Right, place: Place, namespace: str, name: str, more: Right
) -> None:
    before = bool(decide(holder, right, place))
    namespaces = {**holder.namespaces, namespace: holder.namespaces.get(namespace, NONE) | more}
    repositories = {**holder.repositories, name: holder.repositories.get(name, NONE) | more}
    assert bool(decide(replace(holder, namespaces=namespaces), right, place)) >= before
    assert bool(decide(replace(holder, repositories=repositories), right, place)) >= before


@given(HOLDERS, RIGHTS, PLACES)
def test_what_is_private_is_for_those_who_were_granted_it(holder: Holder, right: Right, place: Place) -> None:
    granted = holder.repositories.get(place.name, NONE)
    if "/" in place.name:
        granted |= holder.namespaces.get(namespace_of(place.name), NONE)
    if place.visibility in (PRIVATE, None) and not holder.administrator and decide(holder, right, place):
        assert right in granted or ADMIN in granted


def test_deleting_is_three_actions() -> None:
    """A tag, a manifest and a blob are lost for different people, so a log tells them apart."""
    assert len({Action.DELETE_TAG, Action.DELETE_MANIFEST, Action.DELETE_BLOB}) == 3
