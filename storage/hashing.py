"""Hashing a stream in pieces that may be fed by different processes.

hashlib cannot say where it is, so an upload that goes on elsewhere would have to be read again. libcrypto's SHA256_CTX
and SHA512_CTX are plain structures with a published layout: a copy of one is the state. They are used through ctypes
(which releases the interpreter lock, and is as fast as hashlib); where they are missing or fail the self-test, hashlib
does the work, `save` says None, and whoever resumes reads the bytes once more. Knows nothing of files or uploads.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.util
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from storage.digest import ALGORITHMS, Digest, UnsupportedAlgorithm

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_SLACK = 64
_BYTE_ORDER = sys.byteorder[:1].encode()  # a context holds native integers: a state is for machines of one byte order
_TAIL = struct.Struct("=II")  # both structures end with `unsigned int num, md_len`


class Hasher:
    """A hash of everything fed to it so far; its state can be saved and loaded in another process."""

    def __init__(self, algorithm: str = "sha256") -> None:
        """Start a hash of nothing. Raises: UnsupportedAlgorithm."""
        if algorithm not in ALGORITHMS:
            raise UnsupportedAlgorithm(f"unknown digest algorithm; supported are {', '.join(ALGORITHMS)}")
        context = _context(algorithm)
        self.algorithm = algorithm
        self._engine: _Engine = _Portable(algorithm) if context is None else _Native(context)

    def update(self, data: Buffer) -> None:
        """Feed the next bytes."""
        self._engine.update(data)

    def digest(self) -> Digest:
        """Return the digest of what was fed so far; feeding may go on afterwards."""
        return Digest(self.algorithm, self._engine.hexdigest())

    def save(self) -> bytes | None:
        """Return the state for `load`, or None where this machine cannot tell it."""
        return self._engine.save()

    @classmethod
    def load(cls, algorithm: str, state: bytes) -> Hasher:
        """Go on where a `save` left off.

        Raises: ValueError if this machine cannot use that state; the bytes must then be hashed from the start.
        """
        hasher = cls(algorithm)
        hasher._engine.load(state)
        return hasher


def digest_of(blocks: Iterable[bytes], algorithm: str) -> Digest:
    """Hash a stream to its end."""
    hasher = Hasher(algorithm)
    for block in blocks:
        hasher.update(block)
    return hasher.digest()


class _Engine(Protocol):
    def update(self, data: Buffer) -> None: ...

    def hexdigest(self) -> str: ...

    def save(self) -> bytes | None: ...

    def load(self, state: bytes) -> None: ...


class _Portable:
    """hashlib: it works everywhere, and cannot say where it is."""

    def __init__(self, algorithm: str) -> None:
        hash_ = hashlib.new(algorithm, usedforsecurity=False)
        self.update: Callable[[Buffer], None] = hash_.update
        self.hexdigest: Callable[[], str] = hash_.hexdigest

    def save(self) -> None:
        return None

    def load(self, state: bytes) -> None:
        raise ValueError("this machine cannot load a saved hash")


@dataclass(frozen=True, slots=True)
class _Context:
    """What there is to know about one of libcrypto's structures, and the three functions that work on it."""

    size: int
    block: int
    length: int
    init: Callable[..., int]
    feed: Callable[..., int]
    final: Callable[..., int]


class _Native:
    """libcrypto's own structure in our own memory."""

    def __init__(self, context: _Context) -> None:
        self._context = context
        self._memory = ctypes.create_string_buffer(context.size + _SLACK)
        context.init(self._memory)

    def update(self, data: Buffer) -> None:
        view = memoryview(data).cast("B")
        if isinstance(data, bytes):
            address: object = data
        elif view.readonly or not view.nbytes:
            address = view.tobytes()
        else:
            address = (ctypes.c_char * view.nbytes).from_buffer(view)
        self._context.feed(self._memory, address, view.nbytes)

    def hexdigest(self) -> str:
        copy = ctypes.create_string_buffer(self._memory.raw, len(self._memory))
        result = ctypes.create_string_buffer(self._context.length)
        self._context.final(result, copy)
        return result.raw.hex()

    def save(self) -> bytes:
        return _BYTE_ORDER + self._memory.raw[: self._context.size]

    def load(self, state: bytes) -> None:
        context = self._context
        if len(state) != 1 + context.size or state[:1] != _BYTE_ORDER:
            raise ValueError("the saved hash is of another kind of machine")
        waiting, length = _TAIL.unpack_from(state, len(state) - _TAIL.size)
        if waiting >= context.block or length != context.length:  # libcrypto trusts both as if it had written them
            raise ValueError("the saved hash is damaged")
        ctypes.memmove(self._memory, state[1:], context.size)


@functools.cache
def _context(algorithm: str) -> _Context | None:
    """Find libcrypto's functions once, and believe in them only after they have hashed a known text."""
    for name in _libraries():
        try:
            context = _bound(ctypes.CDLL(name), algorithm)
        except (OSError, AttributeError):
            continue
        if _works(context, algorithm):
            return context
    return None


def _libraries() -> Iterator[str]:
    """Name what may hold libcrypto: first the one that Python itself is linked with, then the usual name."""
    spec = importlib.util.find_spec("_hashlib")
    if spec is not None and spec.origin is not None:
        yield spec.origin
    yield "libcrypto.so.3"


def _bound(library: ctypes.CDLL, algorithm: str) -> _Context:
    prefix = algorithm.upper()
    word = 4 if algorithm == "sha256" else 8
    init, feed, final = library[f"{prefix}_Init"], library[f"{prefix}_Update"], library[f"{prefix}_Final"]
    init.argtypes = [ctypes.c_void_p]
    feed.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    final.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    # h[8], Nl, Nh, data[16] in words, then num and md_len
    return _Context(26 * word + _TAIL.size, 16 * word, 8 * word, init, feed, final)


def _works(context: _Context, algorithm: str) -> bool:
    """Hash a text in two halves, with a save and a load between them, and compare with hashlib."""
    text = bytes(range(256)) * 3
    first, second = _Native(context), _Native(context)
    first.update(text[:333])
    try:
        second.load(first.save())
    except ValueError:
        return False
    second.update(text[333:])
    return second.hexdigest() == hashlib.new(algorithm, text, usedforsecurity=False).hexdigest()
