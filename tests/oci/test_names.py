"""Names, tags and references against the specification's own expressions, read by a second engine: a hand-made one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.oci.names import InvalidName, InvalidTag, RepositoryName, Tag, parse_reference
from storage.digest import Digest, InvalidDigest
from tests.oci.strategies import LOWER, TAG_FIRST, digests, names, near_names, near_tags, tags


def is_name(text: str) -> bool:
    """Read "[a-z0-9]+((.|_|__|-+)[a-z0-9]+)*" between slashes, character by character."""
    return 0 < len(text) <= 255 and text.count("/") < 32 and all(is_component(part) for part in text.split("/"))


def is_component(part: str) -> bool:
    if not part or part[0] not in LOWER or part[-1] not in LOWER:
        return False
    separators, run = [], ""
    for character in part:
        if character in LOWER:
            separators.append(run)
            run = ""
        else:
            run += character
    return all(run in ("", ".", "_", "__") or set(run) == {"-"} for run in separators)


def is_tag(text: str) -> bool:
    return 1 <= len(text) <= 128 and text[0] in TAG_FIRST and set(text) <= set(TAG_FIRST + ".-")


@given(names)
def test_a_name_is_kept_as_it_is(text: str) -> None:
    assert is_name(text)
    name = RepositoryName.parse(text)
    assert str(name) == name.value == text
    assert RepositoryName.parse(str(name)) == name


@given(st.one_of(near_names, st.text(max_size=5)))
def test_a_text_is_a_name_or_told_why_not(text: str) -> None:
    try:
        assert RepositoryName.parse(text).value == text
    except InvalidName as error:
        assert not is_name(text)
        assert len(str(error)) > 20
    else:
        assert is_name(text)


@given(tags)
def test_a_tag_is_kept_as_it_is(text: str) -> None:
    tag = Tag.parse(text)
    assert str(tag) == text
    assert parse_reference(text) == tag


@given(st.one_of(near_tags, tags))
def test_a_text_is_a_tag_or_told_why_not(text: str) -> None:
    try:
        assert Tag.parse(text).value == text
    except InvalidTag as error:
        assert not is_tag(text)
        assert "128" in str(error)
    else:
        assert is_tag(text)


@given(digests)
def test_a_digest_is_a_reference(text: str) -> None:
    assert parse_reference(text) == Digest.parse(text)


@given(st.one_of(tags, digests, near_tags, st.text(max_size=8)))
def test_a_reference_is_a_digest_where_there_is_a_colon(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidTag:
        assert ":" not in text
    except InvalidDigest:
        assert ":" in text
    else:
        assert str(reference) == text
        assert isinstance(reference, Digest) == (":" in text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a" * 256, "at most 255 characters; this one has 256"),
        ("/".join("a" * 33), "at most 32 parts"),
        ("Team/App", "try team/app"),
        ("Team//App", "single slashes"),
        ("", "lower-case letters"),
    ],
)
def test_the_advice(text: str, words: str) -> None:
    with pytest.raises(InvalidName, match=words):
        RepositoryName.parse(text)


def test_names_and_tags_sort_by_their_bytes() -> None:
    assert sorted(map(RepositoryName.parse, ["b", "a/b", "a-b", "a"])) == [
        RepositoryName.parse(text) for text in ("a", "a-b", "a/b", "b")
    ]
    assert sorted(map(Tag.parse, ["a", "B", "_", "0"])) == [Tag.parse(text) for text in ("0", "B", "_", "a")]


def test_a_dollar_that_matches_before_a_line_break_is_not_used() -> None:
    for text in ("a\n", "a/b\n"):
        with pytest.raises(InvalidName):
            RepositoryName.parse(text)
    with pytest.raises(InvalidTag):
        Tag.parse("a\n")
