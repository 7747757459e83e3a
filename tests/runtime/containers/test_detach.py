"""The keys that let go of a terminal: found however they are cut, and everything else goes on unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.containers.streams.detach import USUAL, DetachKeys, parse
from runtime.errors import BadParameter


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", USUAL),
        ("ctrl-p,ctrl-q", USUAL),
        ("a", b"a"),
        ("ctrl-a,b,Z", b"\x01bZ"),
        ("ctrl-@", b"\0"),
        ("ctrl-[", b"\x1b"),
    ],
)
def test_keys_are_read(text: str, keys: bytes) -> None:
    assert parse(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-A", "ab", ",", "a,", "ctrl-1", "é", "shift-a"])
def test_other_keys_are_refused_in_docker_s_words(text: str) -> None:
    with pytest.raises(BadParameter) as refusal:
        parse(text)
    assert str(refusal.value) == f"Invalid detach keys ({text}) provided"


@pytest.mark.parametrize(
    ("typed", "through"),
    [
        ([b"ls\x10\x11rest"], b"ls"),
        ([b"\x10", b"\x11"], b""),
        ([b"\x10\x10", b"\x11"], b"\x10"),
        ([b"\x10a\x10\x11"], b"\x10a"),
    ],
)
def test_pressed_keys_are_found(typed: list[bytes], through: bytes) -> None:
    keys = DetachKeys(USUAL)
    *before, (last, pressed) = [keys.take(piece) for piece in typed]
    assert pressed
    assert not any(earlier for _, earlier in before)
    assert b"".join(piece for piece, _ in before) + last == through


@given(
    st.lists(st.binary(max_size=6).map(lambda data: bytes(b"ab\x10\x11"[byte % 4] for byte in data))),
    st.sampled_from([b"\x10\x11", b"a", b"aab"]),
)
def test_without_the_keys_every_byte_goes_through(pieces: list[bytes], keys: bytes) -> None:
    whole = b"".join(pieces)
    proxy, through = DetachKeys(keys), b""
    for piece in pieces:
        passed, pressed = proxy.take(piece)
        through += passed
        if pressed:
            assert through == whole[: whole.index(keys)]
            return
    assert keys not in whole
    assert through + proxy.rest() == whole
