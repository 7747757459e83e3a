"""Variables, quotes and escapes, by BuildKit's own cases (frontend/dockerfile/shell, envVarTest and wordsTest)."""

import pytest

from runtime.build.expand import Rules, expand, words
from runtime.errors import BadParameter

VARIABLES = {
    "PWD": "/home",
    "SHELL": "bash",
    "KOREAN": "한국어",
    "NULL": "",
    "FILES": "a b  c",
    "V": "foo-bar-foo.tar.gz",
}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("hello", "hello"),
        ("he'll'o", "hello"),
        ("he\\'llo", "he'llo"),
        ("'he\\'llo", "he\\llo"),
        ("abc:'def", None),
        ('"x', None),
        ('"a\\"b"', 'a"b'),
        ('"a\\b"', "a\\b"),
        ("'$PWD'", "$PWD"),
        ('"$PWD"', "/home"),
        ("\\$PWD", "$PWD"),
        ("$", "$"),
        ("$1", ""),
        ("$123x", "x"),
        ("he$PWDx", "he"),
        ("he${PWD}x", "he/homex"),
        ("he${}xx", None),
        ("${PWD", None),
        ("${XXX:-000}", "000"),
        ("${PWD:-000}", "/home"),
        ("${NULL:-x}${NULL-y}", "x"),
        ("${XXX:-$PWD:${YYY}}", "/home:"),
        ("${XXX:-\\${PWD}}", "${PWD}"),
        ("${XXX:+x}${PWD:+y}${NULL:+z}${NULL+w}", "yw"),
        ("${XXX:-'a}b'}", "a}b"),
        ("${KOREAN}", "한국어"),
        ("${XXX?}", None),
        ("${NULL:?message}", None),
        ("${NULL?message}", ""),
        ("${PWD:x}", None),
        ("${V#foo}", "-bar-foo.tar.gz"),
        ("${V#*foo}", "-bar-foo.tar.gz"),
        ("${V##*foo}", ".tar.gz"),
        ("${V%.*}", "foo-bar-foo.tar"),
        ("${V%%.*}", "foo-bar-foo"),
        ("${V/foo/x}", "x-bar-foo.tar.gz"),
        ("${V//foo/x}", "x-bar-x.tar.gz"),
        ("${V/\\//x}", "foo-bar-foo.tar.gz"),
        ("a\\", "a"),
    ],
)
def test_a_word(text: str, expanded: str | None) -> None:
    if expanded is None:
        with pytest.raises(BadParameter):
            expand(text, VARIABLES)
    else:
        assert expand(text, VARIABLES) == expanded


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hello world", ["hello", "world"]),
        ("'hello world'", ["hello world"]),
        ("$FILES x", ["a", "b", "c", "x"]),
        ('"$FILES"', ["a b  c"]),
        ("a\\ b", ["a b"]),
        ("$NULL", []),
        ("  ", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text, VARIABLES) == found


def test_another_escape() -> None:
    assert expand("c:\\x`$PWD$PWD", VARIABLES, Rules(escape="`")) == "c:\\x$PWD/home"


def test_what_is_not_set_can_stay() -> None:
    rules = Rules(keep_unset=True)
    assert expand("$XXX ${XXX} ${XXX:-x} $PWD", VARIABLES, rules) == "$XXX ${XXX} ${XXX:-x} /home"


def test_the_message_of_a_refusal() -> None:
    with pytest.raises(BadParameter, match="NULL: say it"):
        expand("${NULL:?say it}", VARIABLES)
    with pytest.raises(BadParameter, match="XXX: is not allowed to be unset"):
        expand("${XXX?}", VARIABLES)


def test_deep_nesting_is_no_way_to_break_the_reader() -> None:
    with pytest.raises(BadParameter):
        expand("${a:-" * 100_000, {})
