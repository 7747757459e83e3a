"""Scopes: what is written can be read, what is odd is read or refused, and nothing else is raised."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.scopes import (
    CATALOG,
    MAX_SCOPES,
    SCOPE_LIMIT,
    SEARCH,
    InvalidScope,
    Scope,
    format_scopes,
    parse_scopes,
    repository_scope,
)
from tests.auth.forgeries import OddScope, odd_scopes

NAME_LETTERS = "".join(letter for letter in map(chr, range(0x21, 0x7F)) if letter not in '"\\')
TYPES = st.from_regex(r"[a-z0-9]{1,12}(\([a-z0-9]{1,12}\))?", fullmatch=True)
ACTIONS = st.just("*") | st.text(string.ascii_lowercase + string.digits + "_-", min_size=1, max_size=12)
SCOPES = st.builds(
    lambda kind, name, actions: Scope(kind, name, tuple(sorted(actions))),
    TYPES,
    st.text(NAME_LETTERS, min_size=1, max_size=255),
    st.sets(ACTIONS, min_size=1, max_size=5),
)
SCOPE_LISTS = st.lists(SCOPES, max_size=MAX_SCOPES, unique_by=lambda scope: (scope.type, scope.name))


@given(SCOPE_LISTS)
def test_scopes_are_read_as_they_are_written(scopes: list[Scope]) -> None:
    assert parse_scopes([format_scopes(scopes)]) == tuple(scopes)
    assert parse_scopes(str(scope) for scope in scopes) == tuple(scopes)


@given(SCOPE_LISTS.filter(bool), st.data())
def test_one_foreign_letter_is_refused(scopes: list[Scope], data: st.DataObject) -> None:
    text = format_scopes(scopes)
    foreign = data.draw(st.characters(exclude_characters=NAME_LETTERS + " "))
    place = data.draw(st.integers(0, len(text)))
    with pytest.raises(InvalidScope):
        parse_scopes([text[:place] + foreign + text[place:]])


@given(st.lists(st.text() | st.text("repository:/,* ()")))
def test_any_text_is_scopes_or_invalid(values: list[str]) -> None:
    try:
        scopes = parse_scopes(values)
    except InvalidScope as error:
        assert str(error)
    else:
        assert parse_scopes([format_scopes(scopes)]) == scopes
        assert all(scope.name.isascii() and scope.name.isprintable() and scope.actions for scope in scopes)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in odd_scopes()])
def test_an_odd_scope(row: OddScope) -> None:
    try:
        parse_scopes([row.text])
    except InvalidScope:
        assert not row.valid
    else:
        assert row.valid


def test_what_is_asked_of_one_resource_is_merged() -> None:
    values = ["repository:b/c:push repository:a/b:pull", "", "repository:b/c:pull,push", "registry:catalog:*"]
    assert parse_scopes(values) == (
        repository_scope("b/c", "push", "pull"),
        repository_scope("a/b", "pull"),
        CATALOG,
    )
    assert parse_scopes(["registry:catalog:search"]) == (SEARCH,)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("repository:localhost:5000/a:pull", Scope("repository", "localhost:5000/a", ("pull",))),
        ("repository(plugin):x:pull", Scope("repository(plugin)", "x", ("pull",))),
        ("repository:x:push,pull,push", Scope("repository", "x", ("pull", "push"))),
        ("repository:x:,pull,", Scope("repository", "x", ("pull",))),
    ],
)
def test_parts(text: str, scope: Scope) -> None:
    assert parse_scopes([text]) == (scope,)


def test_what_asks_for_no_action_asks_for_nothing() -> None:
    assert parse_scopes(["repository:x: ", "repository:y:,,"]) == ()


def test_the_limits() -> None:
    longest = "repository:" + "a" * (SCOPE_LIMIT - 16) + ":pull"
    assert parse_scopes([longest] * MAX_SCOPES) == (repository_scope("a" * (SCOPE_LIMIT - 16), "pull"),)
    with pytest.raises(InvalidScope, match="600 characters"):
        parse_scopes([longest + "s"])
    with pytest.raises(InvalidScope, match="at most 32"):
        parse_scopes(["a:b:c"] * (MAX_SCOPES + 1))


def test_the_odd_ones_have_names_of_their_own() -> None:
    names = [row.name for row in odd_scopes()]
    assert len(set(names)) == len(names) > 60
