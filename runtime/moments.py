"""Points in time as the engine keeps and shows them: integers, nanoseconds since 1970 in UTC.

Docker writes them in RFC 3339 with up to nine digits, and the year 1 for "never".
"""

import re
from datetime import UTC, datetime

NEVER = 0

_NEVER_TEXT = "0001-01-01T00:00:00Z"
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SECOND = 10**9


def rfc3339(moment: int) -> str:
    """Write a moment as `2026-01-02T03:04:05.000000006Z`; NEVER as Docker's year 1."""
    if moment == NEVER:
        return _NEVER_TEXT
    seconds, nanoseconds = divmod(moment, _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def parse_rfc3339(text: str) -> int:
    """Read a moment; the year 1 is NEVER. Raises ValueError."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time of RFC 3339: {text[:64]!r}")
    day, time, fraction, zone = match.groups()
    zone = "+00:00" if zone in "Zz" else zone
    seconds = datetime.fromisoformat(f"{day}T{time}{zone}").timestamp()
    moment = int(seconds) * _SECOND + int((fraction or "").ljust(9, "0"))
    return moment if moment > 0 else NEVER
