"""Streams are told apart by their bytes, come out whole in any pieces, and are refused when they are cut or damaged."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.images.compression import BadCompression, Compression, Packer, Source, detect, unpacked

DATA = b"".join(b"%d\n" % number for number in range(50_000))
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6),
    "gzip of two members": lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
    "gzip with padding": lambda data: gzip.compress(data) + bytes(700),
    "gzip stored": lambda data: gzip.compress(data, 0),
    "zstd": lambda data: zstandard.compress(data),
    "zstd of two frames": lambda data: zstandard.compress(data[:1000]) + zstandard.compress(data[1000:]),
    "zstd behind a frame to skip": lambda data: b"\x53\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(data),
    "zstd with a checksum": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
    "plain": lambda data: data,
}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """The bytes in pieces of a size."""
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1000, 2**16, 2**24])
@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED.keys())
def test_what_went_in_comes_out(pack: Callable[[bytes], bytes], size: int) -> None:
    assert b"".join(unpacked(pieces(pack(DATA), size))[1]) == DATA


@pytest.mark.parametrize("name", ["gzip", "gzip of two members", "zstd", "zstd of two frames", "zstd with a checksum"])
def test_a_stream_that_is_cut_anywhere_is_refused(name: str) -> None:
    whole = PACKED[name](DATA)
    first = len(PACKED[name.partition(" of")[0]](DATA[:1000]))  # between two members nothing is missing
    for cut in {*range(6, len(whole), max(len(whole) // 60, 1)), 7, 8, 9, len(whole) - 1, len(whole) - 4} - {first}:
        with pytest.raises(BadCompression):
            b"".join(unpacked(iter([whole[:cut]]))[1])


@pytest.mark.parametrize("name", ["gzip", "zstd with a checksum"])
def test_a_stream_with_one_wrong_bit_is_refused(name: str) -> None:
    whole = bytearray(PACKED[name](DATA))
    for place in range(len(whole) // 2, len(whole), len(whole) // 20):
        whole[place] ^= 4
        with pytest.raises(BadCompression):
            b"".join(unpacked(iter([bytes(whole)]))[1])
        whole[place] ^= 4


def test_blocks_are_bounded_however_much_a_stream_holds() -> None:
    for packed in (gzip.compress(bytes(2**26), 9), zstandard.compress(bytes(2**26))):
        assert max(len(block) for block in unpacked(iter([packed]))[1]) <= 33 * 2**20


def test_formats_that_layers_do_not_have_are_named() -> None:
    for head in (b"BZh91AY&SY", b"\xfd7zXZ\x00\x00"):
        with pytest.raises(BadCompression, match="bzip2 or xz"):
            unpacked(iter([head]))
    assert detect(b"") is Compression.NONE and detect(b"\x1f\x8b") is Compression.NONE


def test_packing_depends_on_the_bytes_alone() -> None:
    def packed(size: int) -> bytes:
        packer = Packer()
        return b"".join([*(packer.add(piece) for piece in pieces(DATA, size)), packer.end()])

    assert packed(2**16) == packed(2**16) and gzip.decompress(packed(10_000)) == DATA
    assert packed(2**16)[4:8] == bytes(4)  # no time


@given(st.lists(st.binary(max_size=50)), st.integers(1, 60))
def test_a_source_is_a_file(blocks: list[bytes], size: int) -> None:
    data, source = b"".join(blocks), Source(iter(blocks))
    assert source.peek(size) == data[:size]
    head = source.read(size)
    assert data.startswith(head) and (head or not data)
    source.put_back(head)
    assert b"".join(iter(lambda: source.read(size), b"")) == data


@settings(max_examples=50)
@given(st.binary(max_size=2000))
def test_any_bytes_either_come_out_or_are_refused(data: bytes) -> None:
    for head in (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b""):
        with suppress(BadCompression):
            b"".join(unpacked(iter([head + data]))[1])


def test_without_the_fast_library_the_slow_one_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.images.compression.fast_zlib", zlib)
    for name in ("gzip", "gzip of two members", "gzip with padding"):
        assert b"".join(unpacked(pieces(PACKED[name](DATA), 1000))[1]) == DATA
