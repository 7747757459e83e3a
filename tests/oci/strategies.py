"""What hypothesis draws: names, tags, digests and JSON documents, right ones and nearly right ones."""

import string
from typing import Any

from hypothesis import strategies as st

LOWER = string.ascii_lowercase + string.digits
TAG_FIRST = string.ascii_letters + string.digits + "_"
NEAR_NAMES = LOWER + "A._-/: @%\n\x00é٣"

components = st.builds(
    lambda first, rest: first + "".join(separator + part for separator, part in rest),
    st.text(LOWER, min_size=1, max_size=8),
    st.lists(
        st.tuples(st.sampled_from([".", "_", "__", "-", "--", "-----"]), st.text(LOWER, min_size=1, max_size=5)),
        max_size=3,
    ),
)
names = st.lists(components, min_size=1, max_size=5).map("/".join)
near_names = st.one_of(st.text(NEAR_NAMES, max_size=12), names.flatmap(lambda name: _spoilt(name, NEAR_NAMES)))
tags = st.builds(str.__add__, st.sampled_from(TAG_FIRST), st.text(TAG_FIRST + ".-", max_size=127))
near_tags = st.one_of(st.text(TAG_FIRST + ".-/: @\né٣", max_size=130), st.text(max_size=5))
digests = st.one_of(
    st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format),
    st.text("0123456789abcdef", min_size=128, max_size=128).map("sha512:{}".format),
)

numbers = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=20))
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)),
    max_leaves=20,
)


def _spoilt(text: str, alphabet: str) -> st.SearchStrategy[str]:
    """Change, add or remove one character."""
    place = st.integers(0, len(text))
    return st.one_of(
        st.builds(lambda at, one: text[:at] + one + text[at:], place, st.sampled_from(alphabet)),
        st.builds(lambda at: text[:at] + text[at + 1 :], place),
        st.builds(lambda at, one: text[:at] + one + text[at + 1 :], place, st.sampled_from(alphabet)),
    )
