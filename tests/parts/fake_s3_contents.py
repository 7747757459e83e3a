"""What the small S3 server of `tests.parts.fake_s3` holds, and the trouble that its requests can meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one request meets: an error answer, a connection that ends before or after the work, a spoilt answer."""

    status: int = 0
    code: str = ""
    drop: bool = False
    lose: bool = False
    stall: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    body: bytes | None = None


@dataclass
class Stored:
    """An object."""

    data: bytes
    etag: str
    headers: dict[str, str]
    modified: datetime


@dataclass
class Open:
    """A multipart upload."""

    key: str
    parts: dict[int, bytes]
    headers: dict[str, str]
    initiated: datetime
