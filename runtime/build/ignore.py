"""`.dockerignore` as Docker reads it: which paths of a context stay at home. Pure; used by the command line too.

Not gitignore's rules: every pattern begins at the context's root, `!` takes back, the last that fits decides.
Source: moby/patternmatcher (and its ignorefile), Dockerfile reference, ".dockerignore file".
"""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from runtime.errors import BadParameter

_SPECIAL = frozenset(".$+()|{}^")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line. `takes_back`: it began with `!`; `parts`: its names, for what may lie below a directory."""

    text: str
    takes_back: bool
    expression: re.Pattern[str]

    def fits(self, path: str) -> bool:
        """Tell whether it fits a path, the whole of it."""
        return self.expression.fullmatch(path) is not None


class Ignored:
    """A `.dockerignore`: answers for paths relative to the context, with slashes."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Take the patterns as `lines` gives them. Raises BadParameter for one that means nothing."""
        self._patterns = tuple(_pattern(text) for text in patterns if text.strip())
        self.takes_back = any(each.takes_back for each in self._patterns)
        """Whether something below an ignored directory may be wanted after all, so that one has to look there."""

    def __call__(self, path: str) -> bool:
        """Tell whether a path is left out; a pattern that fits a directory fits all below it."""
        path = _clean(path)
        if path == ".":
            return False
        parts = path.split("/")
        above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        ignored = False
        for each in self._patterns:
            if each.takes_back == ignored and any(each.fits(place) for place in above):
                ignored = not each.takes_back
        return ignored


def read(text: str) -> Ignored:
    """Read a `.dockerignore`. Raises BadParameter."""
    return Ignored(lines(text))


def lines(text: str) -> list[str]:
    """Give a file's patterns: comments and empty lines left out, paths cleaned, no slash at the beginning."""
    found = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n")):
        if line.startswith("#"):
            continue
        pattern = line.strip()
        if not pattern:
            continue
        takes_back = pattern.startswith("!")
        if takes_back:
            pattern = pattern[1:].strip()
        if pattern:
            pattern = _clean(pattern)
            pattern = pattern[1:] if len(pattern) > 1 and pattern.startswith("/") else pattern
        elif not takes_back:
            continue
        found.append(("!" if takes_back else "") + pattern)
        if number > 100_000:
            raise BadParameter("the .dockerignore has more than 100000 lines")
    return found


def _pattern(text: str) -> Pattern:
    pattern = text.strip()
    takes_back = pattern.startswith("!")
    if takes_back:
        pattern = pattern[1:]
        if not pattern:
            raise BadParameter('illegal exclusion pattern: "!"')
    pattern = _clean(pattern)
    try:
        return Pattern(pattern, takes_back, re.compile(_expression(pattern), re.DOTALL))
    except re.error as error:
        raise BadParameter(f"syntax error in pattern {text!r}: {error}") from None


def _clean(path: str) -> str:
    clean = posixpath.normpath(path)
    return clean[1:] if clean.startswith("//") else clean


def _expression(pattern: str) -> str:
    """Write a pattern as a regular expression: `**` for any number of directories, `*`, `?`, `[a-z]`, escapes."""
    parts = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*" and pattern[at : at + 1] == "*":
            at += 1
            if pattern[at : at + 1] == "/":
                at += 1
            parts.append(".*" if at >= len(pattern) else "(?:.*/)?")
        elif char == "*":
            parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "\\":
            parts.append(re.escape(pattern[at]) if at < len(pattern) else re.escape(char))
            at += 1
        elif char == "[":
            group, at = _group(pattern, at)
            parts.append(group)
        else:
            parts.append(re.escape(char))
    return "".join(parts)


def _group(pattern: str, at: int) -> tuple[str, int]:
    """Write `[...]`; what it holds means the same as in a regular expression. Raises BadParameter where it has no end."""
    inside = []
    start = at
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "]" and inside:
            return f"[{''.join(inside)}]", at
        if char == "\\" and at < len(pattern):
            inside.append(re.escape(pattern[at]))
            at += 1
        elif char == "^" and at - 1 == start:
            inside.append(char)
        else:
            inside.append(char if char == "-" else re.escape(char))
    raise BadParameter(f"syntax error in pattern {pattern!r}: [ has no ]")
