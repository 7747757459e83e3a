"""The state of an upload comes back as it was, and nothing half-read ever does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import Unavailable
from storage.state import UploadState

states = st.builds(
    UploadState,
    st.integers(0, 2**64 - 1),
    st.sampled_from(["sha256", "sha512"]),
    st.binary(max_size=300),
    st.binary(max_size=300),
)


@given(states)
def test_round_trip(state: UploadState) -> None:
    assert UploadState.decode(state.encode()) == state


@given(states, st.data())
def test_cut_before_the_driver_part_is_refused(state: UploadState, data: st.DataObject) -> None:
    encoded = state.encode()
    kept = data.draw(st.integers(0, len(encoded) - len(state.driver) - 1))
    with pytest.raises(Unavailable):
        UploadState.decode(encoded[:kept])


@given(st.binary(max_size=64))
def test_any_bytes_are_a_state_or_refused(data: bytes) -> None:
    try:
        assert UploadState.decode(data).offset >= 0
    except Unavailable as error:
        assert "state" in str(error)
