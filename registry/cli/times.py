"""Times as a person types them: `30d`, `12h`, `never`, or a moment such as 2026-01-31."""

import re
from datetime import UTC, datetime, timedelta

from registry.cli.common import USAGE, stop

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NEVER = "never"


def read_duration(text: str, option: str) -> timedelta:
    """Read a number with a unit, such as 30d, or exit with 2."""
    found = _DURATION.fullmatch(text)
    if found is None:
        stop(f"{option} takes a number and a unit out of s, m, h, d and w, such as 30d; got {text[:80]!a}", USAGE)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def read_moment(text: str, option: str, now: int) -> int:
    """Read a moment, or a duration before `now`, as µs since 1970; or exit with 2."""
    if _DURATION.fullmatch(text):
        return now - read_duration(text, option) // timedelta(microseconds=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        stop(
            f"{option} takes a moment, such as 2026-01-31 or 2026-01-31T12:00:00Z, or 24h; got {text[:80]!a}",
            USAGE,
        )
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)
