"""Digests: what is written can be read, and nothing else can."""

import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.digest import ALGORITHMS, Digest, InvalidDigest, UnsupportedAlgorithm

HEX = "0123456789abcdef"
ZERO = "0" * 64


@st.composite
def digest_texts(draw: st.DrawFn) -> str:
    """Draw the text of a digest that must be accepted."""
    algorithm = draw(st.sampled_from(sorted(ALGORITHMS)))
    length = ALGORITHMS[algorithm]
    return f"{algorithm}:{draw(st.text(HEX, min_size=length, max_size=length))}"


@given(digest_texts())
def test_round_trip(text: str) -> None:
    digest = Digest.parse(text)
    assert str(digest) == text
    assert Digest.parse(str(digest)) == digest
    assert hash(Digest.parse(text)) == hash(digest)


@given(st.binary(), st.sampled_from(sorted(ALGORITHMS)))
def test_of_is_the_hash(data: bytes, algorithm: str) -> None:
    digest = Digest.of(data, algorithm)
    assert digest.encoded == hashlib.new(algorithm, data).hexdigest()
    assert Digest.parse(str(digest)) == digest


@given(digest_texts(), st.data())
def test_one_changed_character_is_another_digest_or_none(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters().filter(lambda char: char != text[place])) + text[place + 1 :]
    try:
        assert Digest.parse(changed) != Digest.parse(text)
    except InvalidDigest:
        return
    assert changed[place] in HEX


@given(st.text())
def test_any_text_is_a_digest_or_invalid(text: str) -> None:
    try:
        assert str(Digest.parse(text)) == text
    except InvalidDigest as error:
        assert str(error)


@given(digest_texts(), st.text(min_size=1, max_size=3))
def test_nothing_may_stand_before_or_after(text: str, extra: str) -> None:
    for padded in (text + extra, extra + text):
        with pytest.raises(InvalidDigest):
            Digest.parse(padded)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        f":{ZERO}",
        f"sha256:{ZERO[1:]}",
        f"sha256:{ZERO}0",
        f"sha512:{ZERO}",
        f"sha256:{'A' * 64}",
        f"SHA256:{ZERO}",
        f"sha256:{ZERO}\n",
        f"sha256:{ZERO[1:]}g",
        "sha256:" + "\u0660" * 64,
        "sha256:" + "\uff10" * 64,
        f"sha256::{ZERO}",
        f"sha256+:{ZERO}",
        f"+sha256:{ZERO}",
        f"sha..256:{ZERO}",
        "sha256:../../../../etc/passwd",
        f"sha256:{ZERO[2:]}%2",
    ],
)
def test_refused_as_malformed(text: str) -> None:
    with pytest.raises(InvalidDigest) as caught:
        Digest.parse(text)
    assert not isinstance(caught.value, UnsupportedAlgorithm)


@pytest.mark.parametrize("text", [f"sha384:{ZERO}", "md5:abc", "multihash+base58:QmRZxt2b1FVZPN", f"sha256b:{ZERO}"])
def test_refused_as_unknown(text: str) -> None:
    with pytest.raises(UnsupportedAlgorithm, match="sha256, sha512"):
        Digest.parse(text)


def test_of_refuses_unknown_algorithms() -> None:
    with pytest.raises(UnsupportedAlgorithm):
        Digest.of(b"", "md5")


def test_digests_are_values() -> None:
    one, other = Digest.of(b"a"), Digest.of(b"b")
    assert len({one, other, Digest.of(b"a")}) == 2
    assert sorted([one, other], key=str) == sorted([one, other])
    assert set(str(one)) <= set(string.ascii_lowercase + string.digits + ":")
