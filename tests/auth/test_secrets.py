"""Secrets: the grammar of each kind, and that no two are the same."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.secrets import SecretKind, hash_secret, kind_of, new_id, new_password, new_secret


@pytest.mark.parametrize("kind", list(SecretKind))
def test_a_new_secret_is_of_its_kind(kind: SecretKind) -> None:
    secrets = {new_secret(kind) for _ in range(50)}
    assert len(secrets) == 50
    assert {kind_of(secret) for secret in secrets} == {kind}
    assert {len(secret) for secret in secrets} == {len("mrg_pat_") + 43}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mrg_pat_",
        "mrg_pat_" + "A" * 42,
        "mrg_pat_" + "A" * 44,
        "mrg_pat_" + "A" * 42 + "=",
        "mrg_pat_" + "A" * 42 + "\u0660",
        "mrg_pat_" + "A" * 43 + "\n",
        " mrg_pat_" + "A" * 43,
        "MRG_PAT_" + "A" * 43,
        "mrg_key_" + "A" * 43,
        "A" * 43,
        "a long password of a person",
    ],
)
def test_what_is_not_in_the_grammar_is_no_secret(text: str) -> None:
    assert kind_of(text) is None


@given(st.text())
def test_any_text_has_a_hash(text: str) -> None:
    assert len(hash_secret(text)) == 64
    assert hash_secret(text) != hash_secret(text + "x")


def test_the_hash_is_sha256() -> None:
    assert hash_secret("mrg_pat_x") == hashlib.sha256(b"mrg_pat_x").hexdigest()
    assert hash_secret("\ud800") != hash_secret("\udc00")


def test_an_identifier_is_sixteen_digits() -> None:
    made = {new_id() for _ in range(50)}
    assert len(made) == 50
    assert all(len(text) == 16 and int(text, 16) >= 0 for text in made)


def test_a_password_can_be_read_aloud() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        assert [len(group) for group in password.split("-")] == [5, 5, 5, 5]
        assert not set(password) & set("ilo01ILO")
        assert password == password.lower()
