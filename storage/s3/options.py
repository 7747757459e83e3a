"""Where an S3 store is and how it is used, as plain values; nothing here speaks to it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

MIB = 1 << 20
MOST_PARTS = 10_000
LEAST_PART = 5 * MIB
"""What S3 asks of every part but the last."""


@dataclass(frozen=True, slots=True)
class S3Options:
    """A bucket, the way to it, and how its objects are written. Without keys, the usual chain is asked for them.

    `public_endpoint` is what clients reach, where that is another address than ours. Times are seconds.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str | None = None
    path_style: bool = False
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    storage_class: str | None = None
    sse: Literal["AES256", "aws:kms"] | None = None
    sse_kms_key: str | None = None
    part_bytes: int = 8 * MIB
    largest_blob: int = 20 << 30
    memory_bytes: int = 64 * MIB
    parallel_parts: int = 4
    connections: int = 40
    connect_timeout: float = 2.0
    read_timeout: float = 4.0
    deadline: float = 9.0
    stranger_age: timedelta = timedelta(0)

    @property
    def part_size(self) -> int:
        """The size of every part but the last: as wished, and so that 10,000 parts hold the largest blob."""
        needed = -(-self.largest_blob // MOST_PARTS)
        return max(self.part_bytes, -(-needed // MIB) * MIB if needed > MIB else needed)

    @property
    def written_with(self) -> dict[str, Any]:
        """What every new object is asked to be."""
        wishes = {
            "StorageClass": self.storage_class,
            "ServerSideEncryption": self.sse,
            "SSEKMSKeyId": self.sse_kms_key,
        }
        return {name: value for name, value in wishes.items() if value}
