"""Passwords: which are taken, and that a stored hash is matched by its own password only."""

import unicodedata

import argon2
import bcrypt
import pytest
from argon2 import Type
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.passwords import LONGEST, SHORTEST, PasswordHasher, WeakPassword, check_password, is_bcrypt
from auth.secrets import new_password

COMPOSED, DECOMPOSED = "Zürich-Gemüse-9", unicodedata.normalize("NFD", "Zürich-Gemüse-9")
PASSWORD = "three red lanterns"
HASHER = PasswordHasher(time_cost=1, memory_kib=8)
# Made once: names of tests hold them, and have to be the same in every process.
STORED = "$argon2id$v=19$m=8,t=1,p=1$m330tJYc1Tvfa2itsuLaIg$IqHYc/J3lmYFQMnPiXV4ahh8Nsyd9PL+J662DAXYj8I"
BCRYPT = "$2b$04$Lubkdo32BFnkpadnlnwTReze.8hgj2aqdVeWXECtfXwpXhtaW0lR."


@pytest.mark.parametrize(
    "text", [PASSWORD, "a" * 11 + "b", "pass word \U0001f511 with a key", "x" * 1023 + "y", COMPOSED]
)
def test_a_good_password_is_kept_as_it_is(text: str) -> None:
    assert check_password(text) == text


def test_a_password_is_brought_to_its_composed_form() -> None:
    assert DECOMPOSED != COMPOSED
    assert check_password(DECOMPOSED) == COMPOSED
    assert HASHER.verify(HASHER.hash(DECOMPOSED), COMPOSED)
    assert HASHER.verify(HASHER.hash(COMPOSED), DECOMPOSED)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "12 to 1024"),
        ("a" * 10 + "b", "12 to 1024"),
        ("a" * LONGEST + "b", "12 to 1024"),
        ("e\u0301" * (SHORTEST - 1), "12 to 1024"),
        ("a\u0301" * (2 * LONGEST + 1), "12 to 1024"),
        ("three red\nlanterns", "control"),
        ("three red\x00lanterns", "control"),
        ("three red\x7flanterns", "control"),
        ("three red\x85lanterns", "control"),
        ("three red \ud800 lanterns", "control"),
        ("password1234", "attacker"),
        ("PassWord1234", "attacker"),
        ("correcthorsebatterystaple", "attacker"),
        ("zzzzzzzzzzzzzz", "attacker"),
    ],
)
def test_a_weak_password_is_refused_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(WeakPassword, match=why) as caught:
        check_password(text)
    assert not text or text not in str(caught.value)


def test_a_long_password_of_many_accents_that_compose_is_taken() -> None:
    assert check_password("xe\u0301" * (LONGEST // 2)) == "x\u00e9" * (LONGEST // 2)


def test_passwords_that_we_make_are_good_enough() -> None:
    made = new_password()
    assert check_password(made) == made


@settings(max_examples=50)
@given(st.text(max_size=40), st.text(max_size=40))
def test_a_hash_is_matched_by_its_own_password_only(text: str, other: str) -> None:
    stored = HASHER.hash(text)
    assert HASHER.verify(stored, text)
    same = unicodedata.normalize("NFC", text) == unicodedata.normalize("NFC", other)
    assert HASHER.verify(stored, other) is same


def test_the_same_password_is_stored_in_two_ways() -> None:
    one, other = HASHER.hash(PASSWORD), HASHER.hash(PASSWORD)
    assert one != other
    assert one.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert all(HASHER.verify(stored, PASSWORD) for stored in (one, other, STORED, BCRYPT))


def test_the_parameters_are_those_of_the_documents() -> None:
    stored = PasswordHasher().hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert PasswordHasher().verify(stored, PASSWORD)
    assert not PasswordHasher().outdated(stored)


@pytest.mark.parametrize("text", ["a" * (LONGEST + 1), "\ud800" * 12, "e" + "\u0301" * (5 * LONGEST)])
def test_what_can_be_no_password_is_neither_hashed_nor_right(text: str) -> None:
    with pytest.raises(WeakPassword):
        HASHER.hash(text)
    assert not HASHER.verify(STORED, text)
    assert not HASHER.verify(BCRYPT, text)
    HASHER.waste(text)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_a_hash_of_htpasswd_is_read(prefix: str) -> None:
    stored = prefix + BCRYPT[4:]
    assert is_bcrypt(stored)
    assert HASHER.verify(stored, PASSWORD)
    assert not HASHER.verify(stored, PASSWORD + "!")


def test_bcrypt_is_asked_about_72_bytes_and_no_more() -> None:
    """bcrypt looks at 72 bytes; a registry that cut the password took any that began like it."""
    exact = "ä" * 36
    stored = bcrypt.hashpw(exact.encode(), bcrypt.gensalt(4)).decode()
    assert HASHER.verify(stored, exact)
    assert not HASHER.verify(stored, exact + "x")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "x",
        PASSWORD,
        "!",
        "*",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$",
        STORED[:-1] + "=",
        STORED[:40],
        STORED + "$",
        STORED.replace("m=8", "m=x"),
        STORED.replace("m=8", "m=0"),
        STORED.replace("m=8", "m=-8"),
        STORED.replace("$argon2id$", "$argon2i$"),
        STORED.replace("$argon2id$", "$argon2d$"),
        STORED.replace("$argon2id$", "$ARGON2ID$"),
        STORED + "ä",
        " " + STORED,
        BCRYPT[:-1],
        BCRYPT + "x",
        BCRYPT.replace("$04$", "$31$"),
        BCRYPT.replace("$04$", "$03$"),
        BCRYPT.replace("$2b$", "$2x$"),
        BCRYPT[:28] + "/" + BCRYPT[29:],
        BCRYPT[:-1] + "9",
        "$apr1$abcdefgh$" + "a" * 22,
        "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        "$6$salt$" + "a" * 86,
    ],
)
def test_a_damaged_or_foreign_hash_is_nobodys(stored: str) -> None:
    assert not HASHER.verify(stored, PASSWORD)
    assert HASHER.outdated(stored) or stored.startswith("$argon2id$")


@pytest.mark.parametrize("kind", [Type.I, Type.D])
def test_of_the_kinds_of_argon2_one_is_read(kind: Type) -> None:
    other = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=kind)
    stored = other.hash(PASSWORD)
    assert other.verify(stored, PASSWORD)
    assert not HASHER.verify(stored, PASSWORD)
    assert HASHER.outdated(stored)


@settings(max_examples=200)
@given(st.sampled_from([STORED, BCRYPT]), st.data())
def test_a_hash_with_one_changed_letter_raises_nothing(stored: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(stored) - 1))
    letter = data.draw(st.characters(exclude_categories=["Nd"]))
    HASHER.verify(stored[:place] + letter + stored[place + 1 :], PASSWORD)
    HASHER.outdated(stored[:place] + letter + stored[place + 1 :])


def test_what_was_stored_otherwise_is_outdated() -> None:
    assert not HASHER.outdated(STORED)
    assert PasswordHasher(time_cost=2, memory_kib=8).outdated(STORED)
    assert PasswordHasher(time_cost=1, memory_kib=16).outdated(STORED)
    assert HASHER.outdated(BCRYPT)
    assert HASHER.outdated("")


def test_time_is_wasted_on_a_hash_that_is_made_once() -> None:
    hasher = PasswordHasher(time_cost=1, memory_kib=8)
    hasher.waste(PASSWORD)
    made = hasher._dummy
    assert made is not None
    hasher.waste("nobody's password")
    assert hasher._dummy is made
    assert not hasher.outdated(made)
