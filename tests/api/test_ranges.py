"""The Range header against a simple model: a set of byte positions (RFC 9110, section 14)."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from registry.api.ranges import RANGES_LIMIT, parse_ranges
from registry.oci.errors import ErrorCode, RegistryError

sizes = st.one_of(st.integers(0, 40), st.integers(0, 2**40))
specs = st.one_of(
    st.tuples(st.integers(0, 50), st.integers(0, 50)),
    st.tuples(st.integers(0, 2**41), st.one_of(st.none(), st.integers(0, 2**41))),
    st.tuples(st.integers(0, 50), st.none()),
    st.tuples(st.none(), st.integers(0, 50)),
)
Spec = tuple[int | None, int | None]


def text_of(spec: Spec) -> str:
    first, last = spec
    return f"{'' if first is None else first}-{'' if last is None else last}"


def wanted(spec: Spec, size: int) -> tuple[int, int]:
    """Give first byte and the byte after the last, maybe an empty span, by section 14.1.2."""
    first, last = spec
    if first is None:
        return max(0, size - (last or 0)), size
    return first, size if last is None else min(last + 1, size)


@given(sizes, st.lists(specs, min_size=1, max_size=6), st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_against_the_model(size: int, asked: list[Spec], separator: str) -> None:
    header = "bytes=" + separator.join(map(text_of, asked))
    spans = [(start, stop) for start, stop in (wanted(spec, size) for spec in asked) if start < stop]
    try:
        found = parse_ranges(header, size)
    except RegistryError as error:
        assert error.code is ErrorCode.RANGE_UNSATISFIABLE
        assert error.headers["content-range"] == f"bytes */{size}"
        assert not spans
        return
    assert found is not None
    assert spans
    for start, stop in found:
        assert 0 <= start < stop <= size
    ordered = sorted(found)
    assert all(one[1] <= two[0] for one, two in pairwise(ordered)), "a byte would be sent twice"
    edges = sorted({edge for span in spans + found for edge in span})
    for here in edges:  # between two edges nothing changes, so these places stand for all
        assert any(a <= here < b for a, b in spans) == any(a <= here < b for a, b in found)
    if ordered == sorted(spans):
        assert found == spans, "what need not be merged keeps its order"


@given(st.text(max_size=30), sizes)
@example("bytes=0-5-", 10)
@example("bytes=--5", 10)
@example("bytes=1-2,,", 10)
def test_any_text_is_ranges_or_ignored_or_refused(text: str, size: int) -> None:
    for header in (text, f"bytes={text}"):
        try:
            found = parse_ranges(header, size)
        except RegistryError as error:
            assert error.code in (ErrorCode.RANGE_UNSATISFIABLE, ErrorCode.REQUEST_INVALID)
        else:
            assert found is None or found


@given(st.integers(RANGES_LIMIT + 1, 2000))
def test_more_ranges_than_the_limit_are_refused_whatever_they_are(count: int) -> None:
    for one in ("0-0", "x", "9-"):
        try:
            parse_ranges("bytes=" + ",".join([one] * count), 5)
        except RegistryError as error:
            assert error.code is ErrorCode.REQUEST_INVALID
        else:
            raise AssertionError("not refused")


def test_no_header_asks_for_all() -> None:
    assert parse_ranges(None, 5) is None
