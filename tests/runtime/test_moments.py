"""Moments are written as Docker writes them, and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.moments import NEVER, parse_rfc3339, rfc3339


@given(st.integers(1, 4 * 10**18))
def test_what_is_written_is_read_back(moment: int) -> None:
    assert parse_rfc3339(rfc3339(moment)) == moment


def test_never_is_the_year_1() -> None:
    assert rfc3339(NEVER) == "0001-01-01T00:00:00Z"
    assert parse_rfc3339("0001-01-01T00:00:00Z") == NEVER


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01t01:00:01.000000001+01:00", 10**9 + 1),
        ("1970-01-01T00:00:01.0000000019Z", 10**9 + 1),
    ],
)
def test_other_writings(text: str, moment: int) -> None:
    assert parse_rfc3339(text) == moment


@pytest.mark.parametrize(
    "text", ["", "now", "1970-01-01", "1970-01-01T00:00:01", "1970-13-01T00:00:01Z", "１970-01-01T00:00:01Z"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rfc3339(text)
