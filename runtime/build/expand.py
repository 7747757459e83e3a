"""A Dockerfile's words: quotes, escapes and `$variables`, as the official builder reads them. Pure.

Source: BuildKit's frontend/dockerfile/shell (lex.go) and the Dockerfile reference, "Environment replacement".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from runtime.errors import BadParameter

_SPECIAL = frozenset("@*#?-$!0")
_DEPTH = 50
"""Substitutions inside of one another."""
_GROWTH = 2**20
"""Characters that one word may grow to: variables of variables double quickly."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How to read. `raw`: quotes and escapes stay in the result; `keep_unset`: unknown variables stay as written.

    `quotes`: quotes are read at all; in the documents of COPY they are characters like others.
    """

    escape: str = "\\"
    raw_quotes: bool = False
    raw_escapes: bool = False
    keep_unset: bool = False
    quotes: bool = True


DEFAULT = Rules()
_NOTHING: Mapping[str, str] = MappingProxyType({})


def expand(text: str, variables: Mapping[str, str] = _NOTHING, rules: Rules = DEFAULT) -> str:
    """Return `text` as one word. Raises BadParameter, where quotes or braces do not match or `${x:?}` refuses."""
    return _Reader(text, variables, rules).read()[0]


def words(text: str, variables: Mapping[str, str] = _NOTHING, rules: Rules = DEFAULT) -> list[str]:
    """Return `text` as words: apart where spaces are, also those of a bare variable's value. Raises as `expand`."""
    return _Reader(text, variables, rules).read()[1]


@dataclass(slots=True)
class _Words:
    """Words on their way, beside the one text that `expand` wants."""

    found: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    """Pieces: a text that grows by one character at a time would be copied each time."""

    def add(self, text: str) -> None:
        """Add characters of which spaces separate."""
        for char in text:
            if not char.isspace():
                self.current.append(char)
            elif self.current:
                self.found.append("".join(self.current))
                self.current.clear()

    def add_raw(self, text: str) -> None:
        """Add what belongs to the word, spaces too."""
        if text:
            self.current.append(text)

    def all(self) -> list[str]:
        """Give them all."""
        return [*self.found, "".join(self.current)] if self.current else self.found


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, str], rules: Rules) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._variables = variables
        self._rules = rules

    def read(self) -> tuple[str, list[str]]:
        return self._until("", raw_escapes=self._rules.raw_escapes)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _until(self, stop: str, *, raw_escapes: bool) -> tuple[str, list[str]]:
        """Read up to a character, or to the end where it is empty."""
        self._depth += 1
        if self._depth > _DEPTH:
            raise BadParameter(f"more than {_DEPTH} substitutions inside of one another")
        parts: list[str] = []
        size = 0
        found = _Words()
        while (char := self._peek()) != "":
            if stop and char == stop:
                self._next()
                self._depth -= 1
                return "".join(parts), found.all()
            piece = self._piece(char, found, raw_escapes=raw_escapes)
            parts.append(piece)
            size += len(piece)
            if size > _GROWTH:
                raise BadParameter(f"a word grows beyond {_GROWTH} characters when its variables are replaced")
        if stop:
            raise BadParameter(f"unexpected end of statement while looking for matching {stop}")
        return "".join(parts), found.all()

    def _piece(self, char: str, found: _Words, *, raw_escapes: bool) -> str:
        if char == "$":
            value = self._dollar()
            found.add(value)
            return value
        if char in "'\"" and self._rules.quotes:
            value = self._single() if char == "'" else self._double()
            found.add_raw(value)
            return value
        self._next()
        if char != self._rules.escape:
            found.add(char)
            return char
        escaped = self._next()
        piece = (char if raw_escapes else "") + escaped
        found.add_raw(piece)
        return piece

    def _single(self) -> str:
        quote = self._next()
        end = self._text.find(quote, self._at)
        if end < 0:
            raise BadParameter("unexpected end of statement while looking for matching single-quote")
        inside = self._text[self._at : end]
        self._at = end + 1
        return f"{quote}{inside}{quote}" if self._rules.raw_quotes else inside

    def _double(self) -> str:
        quote = self._next()
        raw = quote if self._rules.raw_quotes else ""
        parts = [raw]
        while True:
            char = self._peek()
            if char == "":
                raise BadParameter("unexpected end of statement while looking for matching double-quote")
            if char == quote:
                self._next()
                return "".join([*parts, raw])
            parts.append(self._dollar() if char == "$" else self._quoted())

    def _quoted(self) -> str:
        char = self._next()
        if char != self._rules.escape:
            return char
        raw = char if self._rules.raw_escapes else ""
        following = self._peek()
        if following == "":
            return raw
        return raw + (self._next() if following in ('"', "$", self._rules.escape) else char)

    def _dollar(self) -> str:
        self._next()
        if self._peek() == "{":
            self._next()
            return self._braced()
        name = self._name()
        if not name:
            return "$"
        if name not in self._variables and self._rules.keep_unset:
            return f"${name}"
        return self._variables.get(name, "")

    def _braced(self) -> str:
        if self._peek() in ("", "}", ":"):
            raise BadParameter("bad substitution" if self._peek() else "syntax error: missing '}'")
        name = self._name()
        sign = self._next()
        if sign == "}":
            return self._variables.get(name, f"${{{name}}}" if self._rules.keep_unset else "")
        if sign == "":
            raise BadParameter("syntax error: missing '}'")
        empty_too = sign == ":"
        operator = self._next() if empty_too else sign
        written = f":{operator}" if empty_too else operator
        if operator not in tuple("-+?" if empty_too else "-+?#%/"):
            raise BadParameter(f"unsupported modifier ({written}) in substitution")
        if operator == "/":
            return self._replaced(name)
        word = self._word(raw=operator in "#%")
        if name not in self._variables and self._rules.keep_unset:
            return f"${{{name}{written}{word}}}"
        return self._modified(name, operator, word, empty_too=empty_too)

    def _word(self, stop: str = "}", *, raw: bool = False) -> str:
        try:
            return self._until(stop, raw_escapes=raw or self._rules.raw_escapes)[0]
        except BadParameter:
            if self._peek() == "":
                raise BadParameter("syntax error: missing '}'") from None
            raise

    def _modified(self, name: str, operator: str, word: str, *, empty_too: bool) -> str:
        value = self._variables.get(name)
        absent = value is None or (empty_too and value == "")
        if operator == "?" and absent:
            reason = "unset" if value is None else "empty"
            raise BadParameter(f"{name}: {word or f'is not allowed to be {reason}'}")
        if operator == "+":
            return "" if absent else word
        if operator in "-?":
            return word if absent else value or ""
        greedy = word.startswith(operator)
        return _trimmed(value or "", word[1:] if greedy else word, greedy=greedy, at_end=operator == "%")

    def _replaced(self, name: str) -> str:
        everywhere = self._peek() == "/"
        if everywhere:
            self._next()
        pattern = re.compile(_pattern(self._word("/", raw=True), greedy=True), re.DOTALL)
        replacement = self._word()
        value = self._variables.get(name)
        if value is None and self._rules.keep_unset:
            return f"${{{name}/{pattern.pattern}/{replacement}}}"
        return pattern.sub(lambda _: replacement, value or "", count=0 if everywhere else 1)

    def _name(self) -> str:
        first = self._peek()
        if first.isdigit():
            return self._while(str.isdigit)
        if first and first in _SPECIAL:
            return self._next()
        return self._while(lambda char: char.isalpha() or char.isdigit() or char == "_")

    def _while(self, belongs: Callable[[str], bool]) -> str:
        start = self._at
        while (char := self._peek()) and belongs(char):
            self._at += 1
        return self._text[start : self._at]


def _trimmed(value: str, pattern: str, *, greedy: bool, at_end: bool) -> str:
    """Take the shortest, or longest, beginning or end that a pattern fits away."""
    fits = re.compile(_pattern(pattern, greedy=True), re.DOTALL)
    places = range(len(value) + 1)
    if at_end:
        for start in places if greedy else reversed(places):
            if fits.fullmatch(value, start):
                return value[:start]
        return value
    for end in reversed(places) if greedy else places:
        if fits.fullmatch(value, 0, end):
            return value[end:]
    return value


def _pattern(text: str, *, greedy: bool) -> str:
    """A shell's pattern (`*`, `?`, escapes) as a regular expression."""
    parts = []
    chars = iter(text)
    for char in chars:
        if char == "*":
            parts.append(".*" if greedy else ".*?")
        elif char == "?":
            parts.append(".")
        elif char == "\\":
            escaped = next(chars, "")
            if not escaped:
                raise BadParameter("invalid escape '\\' at the end of a pattern")
            parts.append(re.escape(escaped))
        else:
            parts.append(re.escape(char))
    return "".join(parts)
