"""Signals by name or number, as `docker kill --signal` and an image's STOPSIGNAL write them. Pure."""

import re
import signal

from runtime.errors import BadParameter

HIGHEST = 64
_REALTIME = re.compile(r"RTM(IN\+|AX-)(\d{1,2})")
_RTMIN, _RTMAX = 34, 64


def number(text: str) -> int:
    """The signal's number on Linux. Raises: BadParameter "Invalid signal: X"."""
    name = text.strip().upper().removeprefix("SIG")
    if name.isascii() and name.isdecimal() and 1 <= int(name) <= HIGHEST:
        return int(name)
    if found := _REALTIME.fullmatch(name):
        offset = int(found[2])
        value = _RTMIN + offset if found[1] == "IN+" else _RTMAX - offset
        if _RTMIN <= value <= _RTMAX:
            return value
    known = signal.Signals.__members__.get(f"SIG{name}")
    if known is None:
        raise BadParameter(f"Invalid signal: {text}")
    return int(known)
