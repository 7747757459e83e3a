"""The blob store of a Moorage registry on this machine, from which layers are linked in place of downloaded.

Knows where a blob's file would be (storage.filesystem: blobs/ALGORITHM/ab/HEX.UPLOAD) and opens it to be read. Whether
a user may have it is asked of the registry first, and whether the bytes are right is found out when they are unpacked.
The registry's files are never written to; where they cannot be read, they are downloaded.
"""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from registry.oci.descriptors import Descriptor


@dataclass(frozen=True, slots=True)
class Neighbour:
    """`data`: the registry's data directory; `host`: host[:port] under which images are pulled from it."""

    data: Path
    host: str

    def open(self, descriptor: Descriptor) -> BinaryIO | None:
        """Open a blob's file; None where there is none of that size to be read."""
        digest = descriptor.digest
        shard = self.data / "blobs" / digest.algorithm / digest.encoded[:2]
        try:
            paths = sorted(path for path in shard.iterdir() if path.name.startswith(f"{digest.encoded}."))
        except OSError:
            return None
        for path in paths:
            with suppress(OSError):
                file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
                status = os.fstat(file.fileno())
                if stat.S_ISREG(status.st_mode) and status.st_size == descriptor.size:
                    return file
                file.close()
        return None
