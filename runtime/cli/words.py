"""Sizes, ages, ids and quoted text in the words that Docker's tables use. Pure.

Source: docker/go-units (size.go, duration.go), docker/cli (cli/command/formatter/displayutils.go).
"""

import json
from datetime import UTC, datetime

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size(number: float, digits: int = 4) -> str:
    """Write bytes in powers of 1000 with that many digits in all: `1.24MB`."""
    return _scaled(number, 1000, _DECIMAL, digits)


def binary_size(number: float) -> str:
    """Write bytes in powers of 1024, as memory is shown: `23.54GiB`."""
    return _scaled(number, 1024, _BINARY, 4)


def _scaled(number: float, base: int, units: tuple[str, ...], digits: int) -> str:
    unit = 0
    while number >= base and unit < len(units) - 1:
        number /= base
        unit += 1
    return f"{number:.{digits}g}{units[unit]}" if number < 10**digits else f"{number:.0f}{units[unit]}"


def age(seconds: float) -> str:
    """Write a span of time roughly: `About a minute`, `3 weeks`."""
    if seconds < 1:
        return "Less than a second"
    if seconds < 2:
        return "1 second"
    if seconds < 60:
        return f"{int(seconds)} seconds"
    minutes, hours = int(seconds / 60), int(seconds / 3600 + 0.5)
    if minutes < 2:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    if hours < 2:
        return "About an hour"
    for limit, unit, of in ((48, "hours", 1), (336, "days", 24), (1440, "weeks", 168), (17520, "months", 720)):
        if hours < limit:
            return f"{hours // of} {unit}"
    return f"{int(seconds / 3600) // 8760} years"


def since(moment: float) -> str:
    """Write how long ago a moment in seconds since 1970 was: `5 minutes ago`."""
    return f"{age(datetime.now(UTC).timestamp() - moment)} ago"


def local_time(moment: float) -> str:
    """Write a moment as Go prints times, in the local zone: `2026-01-02 15:04:05 +0000 UTC`."""
    local = datetime.fromtimestamp(moment).astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S %z} {local.tzname()}"


def go_time(text: str) -> str:
    """Write an RFC 3339 text in UTC as Go prints times: `2026-01-02 15:04:05.123 +0000 UTC`."""
    if not text.endswith("Z"):
        return text
    head, dot, fraction = text[:-1].replace("T", " ").partition(".")
    fraction = fraction.rstrip("0")
    return f"{head}{dot if fraction else ''}{fraction} +0000 UTC"


def short_id(identifier: str) -> str:
    """Shorten an id or digest to Docker's twelve digits."""
    return identifier.rpartition(":")[2][:12]


def cut(text: str, width: int) -> str:
    """Cut a text that is longer, with an ellipsis at its end."""
    return text if len(text) <= width else text[: width - 1] + "…"


def quoted(text: str) -> str:
    """Write a text in double quotes as Go does (strconv.Quote); what is printable stays."""
    return json.dumps(text, ensure_ascii=False)
