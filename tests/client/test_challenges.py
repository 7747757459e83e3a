"""WWW-Authenticate headers, as registries of all kinds send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.client.challenges import Challenge, parse


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="x"', [("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://a/token",service="s",scope="repository:a/b:pull,push"',
            [("bearer", {"realm": "https://a/token", "service": "s", "scope": "repository:a/b:pull,push"})],
        ),
        (
            'Basic realm="a, b", Bearer realm="c" , service=d',
            [("basic", {"realm": "a, b"}), ("bearer", {"realm": "c", "service": "d"})],
        ),
        (r'Bearer realm="a\"b\\c"', [("bearer", {"realm": 'a"b\\c'})]),
        ('Bearer Realm="first", realm="second"', [("bearer", {"realm": "first"})]),
        ("Negotiate, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('="nonsense"', []),
        ('Bearer realm="never closed', [("bearer", {})]),
    ],
)
def test_what_is_found(header: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert list(parse(header)) == [Challenge(scheme, parameters) for scheme, parameters in found]


@given(st.text())
def test_nothing_breaks_it(header: str) -> None:
    parse(header)
