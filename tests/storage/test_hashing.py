"""Hashing in pieces: a hash that is saved and loaded anywhere in a stream is the hash of the stream."""

import ctypes
import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import hashing
from storage.digest import ALGORITHMS, UnsupportedAlgorithm
from storage.hashing import Hasher

algorithms = pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
BIG = hashlib.shake_128(b"big").digest(5 << 20)


@pytest.fixture
def without_libcrypto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no library be found."""
    monkeypatch.setattr(hashing, "_libraries", lambda: iter(["no-such-library.so"]))
    hashing._context.cache_clear()
    yield
    hashing._context.cache_clear()


@algorithms
@given(pieces=st.lists(st.binary(max_size=300)), saved_after=st.integers(0, 20))
def test_any_cuts(algorithm: str, pieces: list[bytes], saved_after: int) -> None:
    hasher = Hasher(algorithm)
    for number, piece in enumerate(pieces):
        if number == saved_after:
            state = hasher.save()
            assert state is not None
            hasher = Hasher.load(algorithm, state)
        hasher.update(piece)
        assert len(hasher.digest().encoded) == ALGORITHMS[algorithm]  # asking changes nothing
    assert hasher.digest().encoded == hashlib.new(algorithm, b"".join(pieces)).hexdigest()


@algorithms
@pytest.mark.parametrize("cut", [0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 4096, (1 << 20) + 7, len(BIG)])
def test_cut_of_a_long_text(algorithm: str, cut: int) -> None:
    first = Hasher(algorithm)
    first.update(BIG[:cut])
    state = first.save()
    assert state is not None
    second = Hasher.load(algorithm, state)
    second.update(BIG[cut:])
    first.update(b"something else")  # the saved state is a copy
    assert second.digest().encoded == hashlib.new(algorithm, BIG).hexdigest()
    assert second.digest().algorithm == algorithm == second.algorithm


@algorithms
def test_every_kind_of_buffer(algorithm: str) -> None:
    hasher = Hasher(algorithm)
    for data in (
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"read-only view"),
        memoryview(bytearray(b"writable view"))[3:],
        (ctypes.c_uint16 * 4)(1, 2, 3, 4),
        b"",
        bytearray(),
        memoryview(b""),
    ):
        hasher.update(data)
    expected = b"bytes" + b"bytearray" + b"read-only view" + b"table view" + bytes((ctypes.c_uint16 * 4)(1, 2, 3, 4))
    assert hasher.digest().encoded == hashlib.new(algorithm, expected).hexdigest()


def test_buffer_is_free_after_the_update() -> None:
    buffer = bytearray(b"abc")
    Hasher().update(buffer)
    buffer += b"d"  # a buffer still in use could not grow


@algorithms
@pytest.mark.usefixtures("without_libcrypto")
def test_without_libcrypto_only_the_state_is_missing(algorithm: str) -> None:
    hasher = Hasher(algorithm)
    hasher.update(b"abc")
    hasher.update(bytearray(b"def"))
    assert hasher.save() is None
    assert hasher.digest().encoded == hashlib.new(algorithm, b"abcdef").hexdigest()
    with pytest.raises(ValueError, match="cannot load"):
        Hasher.load(algorithm, b"x" * 113)


@algorithms
def test_state_that_is_damaged_or_foreign_is_refused(algorithm: str) -> None:
    state = Hasher(algorithm).save()
    assert state is not None
    waiting = len(state) - 8
    swapped = (b"b" if state[:1] == b"l" else b"l") + state[1:]
    too_much_waiting = state[:waiting] + b"\xff\xff\xff\xff" + state[waiting + 4 :]
    other_length = state[:-4] + b"\x01\x00\x00\x00"
    for bad in (b"", state[:-1], state + b"x", swapped, too_much_waiting, other_length):
        with pytest.raises(ValueError, match="saved hash"):
            Hasher.load(algorithm, bad)


def test_state_of_one_algorithm_is_none_of_the_other() -> None:
    state = Hasher("sha512").save()
    assert state is not None
    with pytest.raises(ValueError, match="saved hash"):
        Hasher.load("sha256", state)


def test_unknown_algorithm() -> None:
    with pytest.raises(UnsupportedAlgorithm):
        Hasher("md5")


class _Liar:
    """A library that has the functions but hashes something else."""

    def __getitem__(self, name: str) -> object:
        return _Function()


class _Function:
    argtypes: tuple[object, ...] = ()

    def __call__(self, *arguments: object) -> int:
        return 1


class _Careless(_Liar):
    """A library whose structure has plausible last fields, but is not a hash."""

    def __getitem__(self, name: str) -> object:
        length = 32 if name.startswith("SHA256") else 64

        def init(memory: ctypes.Array[ctypes.c_char]) -> int:
            size = 112 if length == 32 else 216
            memory[size - 4] = length  # type: ignore[call-overload] # c_char takes numbers too
            return 1

        return init if name.endswith("Init") else _Function()


@algorithms
@pytest.mark.parametrize("library", [_Liar(), _Careless()])
def test_library_that_fails_the_self_test_is_not_used(
    algorithm: str, library: _Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: library)
    hashing._context.cache_clear()
    try:
        assert Hasher(algorithm).save() is None
    finally:
        hashing._context.cache_clear()


def test_library_that_python_is_linked_with_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(hashing._libraries())[-1] == "libcrypto.so.3"
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert list(hashing._libraries()) == ["libcrypto.so.3"]
