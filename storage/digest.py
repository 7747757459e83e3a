"""A digest: the name of content by its hash (image-spec, descriptor.md, "Digests").

    digest    ::= algorithm ":" encoded
    algorithm ::= component (separator component)*      component ::= [a-z0-9]+      separator ::= [+._-]
    encoded   ::= [a-zA-Z0-9=_-]+

Of the registered algorithms we know sha256 and sha512, whose encoded part MUST be lower-case hexadecimal of exact
length. This module hashes nothing but what fits in memory; streams are the business of `storage.hashing`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ALGORITHMS: Mapping[str, int] = MappingProxyType({"sha256": 64, "sha512": 128})
"""The algorithms we accept, each with the length of its encoded part."""

_WELL_FORMED = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)")
_LOWER_HEX = re.compile(r"[0-9a-f]+")


class InvalidDigest(ValueError):
    """The text is not a digest that this registry can take."""


class UnsupportedAlgorithm(InvalidDigest):
    """The text is a well-formed digest of an algorithm that we do not know."""


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of some bytes. Made by `parse` from text or by `of` from bytes; then it needs no further check."""

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read a digest as clients write it.

        Raises: UnsupportedAlgorithm if it is well-formed but not one of ALGORITHMS; InvalidDigest otherwise.
        """
        match = _WELL_FORMED.fullmatch(text)
        if match is None:
            raise InvalidDigest("a digest is written algorithm:encoded, such as sha256: and 64 hexadecimal digits")
        algorithm, encoded = match.groups()
        length = ALGORITHMS.get(algorithm)
        if length is None:
            raise UnsupportedAlgorithm(f"unknown digest algorithm; supported are {', '.join(ALGORITHMS)}")
        if len(encoded) != length or _LOWER_HEX.fullmatch(encoded) is None:
            raise InvalidDigest(f"a {algorithm} digest has exactly {length} lower-case hexadecimal digits")
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> "Digest":
        """Return the digest of bytes that are in memory."""
        if algorithm not in ALGORITHMS:
            raise UnsupportedAlgorithm(f"unknown digest algorithm; supported are {', '.join(ALGORITHMS)}")
        return cls(algorithm, hashlib.new(algorithm, data, usedforsecurity=False).hexdigest())

    def __str__(self) -> str:
        """Write the digest as it goes over the wire."""
        return f"{self.algorithm}:{self.encoded}"
