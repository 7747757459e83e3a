"""`.dockerignore`: which paths of a context are left out, by Docker's rules, which are not git's. Pure.

Each line is a pattern; the last one that fits a path, or a directory above it, decides, and `!` takes back.
Source: moby/patternmatcher (patternmatcher.go, ignorefile/ignorefile.go), Go's path/filepath.Match and Clean.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.errors import BadParameter

_ESCAPED = frozenset(".+()|{}$")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: what it fits, and whether it takes paths back (`!`)."""

    text: str
    takes_back: bool
    expression: re.Pattern[str]

    def fits(self, path: str) -> bool:
        """Whether the pattern fits this path, or a directory above it."""
        if self.expression.fullmatch(path):
            return True
        parts = path.split("/")
        return any(self.expression.fullmatch("/".join(parts[:depth])) for depth in range(1, len(parts)))


class Ignored:
    """The patterns of one .dockerignore."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self._back = tuple(pattern for pattern in self._patterns if pattern.takes_back)

    def leaves_out(self, path: str) -> bool:
        """Whether a path below the context, with slashes and no leading one, is left out."""
        out = False
        for pattern in self._patterns:
            # A pattern that could only say what is so already need not be tried.
            if pattern.takes_back == out and pattern.fits(path):
                out = not pattern.takes_back
        return out

    def judged(self, path: str, above: tuple[bool, ...] = ()) -> tuple[bool, tuple[bool, ...]]:
        """Say the same of a path that a walk has come to, as Docker's own walk does.

        `above` is the second value for the directory that the path is in, () at the top: which patterns decided there.
        A `!` that names a directory takes back what an earlier pattern left out with it, not what one names below it.
        """
        out, decided = False, list[bool]()
        for place, pattern in enumerate(self._patterns):
            fits = bool(above) and above[place]
            if not fits and pattern.takes_back == out:
                fits = bool(pattern.expression.fullmatch(path))
            decided.append(fits)
            if fits:
                out = not pattern.takes_back
        return out, tuple(decided)

    def may_take_back_below(self, directory: str) -> bool:
        """Whether a `!` pattern names something in a directory that is left out, so that it has to be looked into."""
        return any(f"{pattern.text}/".startswith(f"{directory}/") for pattern in self._back)


def parse(text: str, *always: str) -> Ignored:
    """Read a .dockerignore; `always` are paths that are sent whatever it says. Raises: BadParameter."""
    patterns = [_pattern(line) for line in _lines(text)]
    ignored = Ignored(patterns)
    return Ignored([*patterns, *(_pattern(f"!{path}") for path in always if ignored.leaves_out(path))])


def _lines(text: str) -> Iterator[str]:
    for line in text.removeprefix("\ufeff").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        line = line.strip()
        back = line.startswith("!")
        path = line[1:].strip() if back else line
        if path:
            path = posixpath.normpath(path)
            path = path.lstrip("/") or "/"
        yield f"!{path}" if back else path


def _pattern(line: str) -> Pattern:
    back = line.startswith("!")
    text = line[1:] if back else line
    if not text:
        raise BadParameter('illegal exclusion pattern: "!"')
    try:
        return Pattern(text, back, re.compile("".join(_expression(text))))
    except re.error as error:
        raise BadParameter(f"error reading .dockerignore: {line!r} is no pattern: {error}") from error


def _expression(text: str) -> Iterator[str]:
    """The pieces of the regular expression that fits what the pattern does."""
    place = 0
    while place < len(text):
        letter, rest = text[place], text[place + 1 :]
        place += 1
        if letter == "*" and rest.startswith("*"):
            place += 1
            if text.startswith("/", place):
                place += 1
            yield ".*" if place == len(text) else "(?:.*/)?"
        elif letter == "*":
            yield "[^/]*"
        elif letter == "?":
            yield "[^/]"
        elif letter == "\\":
            yield re.escape(rest[:1]) if rest else re.escape(letter)
            place += 1
        else:
            yield f"\\{letter}" if letter in _ESCAPED else letter
