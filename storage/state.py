"""What an upload session remembers between two writers, as bytes that the catalog keeps without reading them.

Compact and versioned: a version, the offset up to which everything is durable, the announced algorithm, the saved hash
(empty where the machine could not tell it), and whatever the driver added. Knows no driver and no hash.
"""

import struct
from dataclasses import dataclass

from storage.errors import Unavailable

_VERSION = 1
_HEAD = struct.Struct(">BQBH")  # version, offset, length of the algorithm's name, length of the saved hash


@dataclass(frozen=True, slots=True)
class UploadState:
    """Where an upload stands."""

    offset: int
    algorithm: str
    hash: bytes
    driver: bytes

    def encode(self) -> bytes:
        """Write the state as bytes."""
        name = self.algorithm.encode("ascii")
        return _HEAD.pack(_VERSION, self.offset, len(name), len(self.hash)) + name + self.hash + self.driver

    @classmethod
    def decode(cls, data: bytes) -> "UploadState":
        """Read what `encode` wrote. Raises: Unavailable if it is cut short or from a version that we do not know."""
        if len(data) < _HEAD.size or data[0] != _VERSION:
            raise Unavailable("the upload's state was written by another version")
        _, offset, name_length, hash_length = _HEAD.unpack_from(data)
        hash_start = _HEAD.size + name_length
        driver_start = hash_start + hash_length
        if len(data) < driver_start:
            raise Unavailable("the upload's state is cut short")
        name = data[_HEAD.size : hash_start].decode("ascii", "replace")
        return cls(offset, name, data[hash_start:driver_start], data[driver_start:])
