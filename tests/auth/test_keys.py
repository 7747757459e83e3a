"""Keys: what was sealed opens with its own key and purpose only; names are thumbprints."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from auth.keys import InvalidKey, InvalidMasterKey, MasterKey, PublicKey, SigningKey, WrongMasterKey

MASTER = MasterKey.generate()
KEY = SigningKey.generate()
TEXT = "mrg_key_" + "A" * 43

# RFC 7515, appendix A.3: a key of P-256; its thumbprint was computed with another program.
RFC_JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
RFC_THUMBPRINT = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"


@given(st.binary(max_size=100), st.binary(max_size=20))
def test_what_was_sealed_opens(plain: bytes, context: bytes) -> None:
    sealed = MASTER.seal(plain, context)
    assert MASTER.open(sealed, context) == plain
    assert sealed != MASTER.seal(plain, context)
    assert len(sealed) == len(plain) + 28


@given(st.binary(max_size=20), st.data())
def test_what_was_changed_does_not_open(plain: bytes, data: st.DataObject) -> None:
    sealed = MASTER.seal(plain, b"purpose")
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytearray(sealed)
    changed[place] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(changed), sealed[:place], sealed + b"\x00", b"\x00" + sealed):
        with pytest.raises(WrongMasterKey):
            MASTER.open(damaged, b"purpose")


def test_another_key_or_another_purpose_does_not_open() -> None:
    sealed = MASTER.seal(b"secret", b"one")
    with pytest.raises(WrongMasterKey):
        MASTER.open(sealed, b"other")
    with pytest.raises(WrongMasterKey):
        MasterKey.generate().open(sealed, b"one")


def test_a_master_key_is_read_as_it_is_written() -> None:
    again = MasterKey.parse(f" {MASTER.text}\n")
    assert again == MASTER != MasterKey.generate()
    assert again.open(MASTER.seal(b"x", b""), b"") == b"x"
    assert again.id == MASTER.id != MasterKey.generate().id
    assert len(MASTER.id) == 16 and set(MASTER.id) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "text", ["", "x", TEXT[:-1], TEXT + "A", TEXT[8:], "mrg_key_" + "ä" * 43, "mrg_pat_" + TEXT[8:]]
)
def test_what_is_no_master_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidMasterKey) as caught:
        MasterKey.parse(text)
    assert len(text) < 9 or text[8:] not in str(caught.value)


def test_keys_do_not_show_themselves() -> None:
    secret = str(KEY.key.private_numbers().private_value)
    for shown in (repr(MASTER), str(MASTER), repr(KEY), repr(KEY.public)):
        assert MASTER.text[8:] not in shown
        assert secret not in shown
    assert repr(MASTER) == "MasterKey()"


def test_a_pair_is_sealed_and_unsealed() -> None:
    again = SigningKey.unseal(KEY.sealed(MASTER), MASTER, KEY.kid)
    assert again == KEY != SigningKey.generate()
    assert again.key.private_numbers() == KEY.key.private_numbers()


def test_a_pair_in_the_place_of_another_does_not_open() -> None:
    with pytest.raises(WrongMasterKey):
        SigningKey.unseal(KEY.sealed(MASTER), MASTER, SigningKey.generate().kid)
    with pytest.raises(WrongMasterKey):
        SigningKey.unseal(KEY.sealed(MASTER), MasterKey.generate(), KEY.kid)
    with pytest.raises(WrongMasterKey):
        SigningKey.unseal(b"", MASTER, "\ud800")


@pytest.mark.parametrize("plain", [b"", bytes(32), b"\xff" * 32, b"\x01" * 33, bytes(31) + b"\x01"])
def test_what_opens_and_is_not_that_pair_is_refused(plain: bytes) -> None:
    sealed = MASTER.seal(plain, b"moorage signing key\x00" + KEY.kid.encode("ascii"))
    with pytest.raises(InvalidKey):
        SigningKey.unseal(sealed, MASTER, KEY.kid)


def test_a_name_is_the_thumbprint() -> None:
    assert PublicKey.from_jwk(RFC_JWK | {"kid": RFC_THUMBPRINT}).kid == RFC_THUMBPRINT


def test_a_public_key_is_read_as_it_is_written() -> None:
    document = KEY.public.jwk()
    assert PublicKey.from_jwk(json.loads(json.dumps(document))) == KEY.public
    assert document == {
        "kty": "EC",
        "crv": "P-256",
        "x": document["x"],
        "y": document["y"],
        "kid": KEY.kid,
        "use": "sig",
        "alg": "ES256",
    }
    assert len(document["x"]) == len(document["y"]) == len(KEY.kid) == 43


def test_coordinates_keep_their_leading_zeros() -> None:
    pair = next(pair for pair in map(_derived, range(1, 5000)) if pair.public_key().public_numbers().x < 1 << 248)
    public = PublicKey.of(pair.public_key())
    assert PublicKey.from_jwk(public.jwk()) == public


def _derived(scalar: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar, ec.SECP256R1())


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "RSA"},
        {"kty": None},
        {"crv": "P-384"},
        {"crv": ["P-256"]},
        {"x": None},
        {"x": 7},
        {"x": "A" * 43},
        {"x": "A" * 42},
        {"y": "_" * 43},
        {"y": "ä" * 43},
        {"kid": "x"},
        {"kid": None},
    ],
)
def test_what_is_no_key_of_ours_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidKey):
        PublicKey.from_jwk(KEY.public.jwk() | changes)
