"""WWW-Authenticate as registries send it (RFC 7235, 4.1; Distribution, "Token Authentication Specification").

Pure. A header may hold several challenges, and several headers may come as one, joined by commas.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

LENGTH = 8192
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105  # the grammar's name for a word
_SCHEME = re.compile(rf"\s*,?\s*({_TOKEN})(?=[\s,]|$)(?!\s*=)")
_PARAMETER = re.compile(rf'\s*,?\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to sign in: its scheme in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def parse(header: str) -> tuple[Challenge, ...]:
    """Read the challenges of a header; what follows the first thing that cannot be read is left out."""
    found: list[Challenge] = []
    position, header = 0, header[:LENGTH]
    while match := _SCHEME.match(header, position):
        position = match.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            position = parameter.end()
            quoted, plain = parameter.group(2), parameter.group(3)
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(parameter.group(1).lower(), value)
        found.append(Challenge(match.group(1).lower(), parameters))
    return tuple(found)
