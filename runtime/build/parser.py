"""A Dockerfile's text as instructions: comments, continuation lines, flags, JSON forms, heredocs. Pure.

Says nothing about what instructions mean. Source: BuildKit's frontend/dockerfile/parser, whose errors these are; its
Python binding (PyPI `dockerfile`) is the oracle in tests.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runtime.build.directives import Directives
from runtime.build.expand import Rules, words
from runtime.build.values import Value, read_value
from runtime.errors import BadParameter

LIMIT = 8 * 2**20
"""Characters of a Dockerfile."""

_SPACES = re.compile(r"[\t\v\f\r ]+")
_HEREDOC = re.compile(r"(\d*)<<(-?)([^<]*)", re.ASCII)
_WITH_HEREDOCS = frozenset({"add", "copy", "run"})


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A document in a Dockerfile. `expands`: variables in it are replaced, for its name was not quoted."""

    name: str
    content: str
    expands: bool
    chomps: bool
    descriptor: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `word` in lower case; `values`: pairs of name and value for ENV and LABEL, else arguments.

    `rest`: the arguments as written; `original`: the whole of it, with heredocs; lines count from 1; `trigger`: what
    ONBUILD holds.
    """

    word: str
    flags: tuple[str, ...]
    values: tuple[str, ...]
    is_json: bool
    rest: str
    original: str
    first_line: int
    last_line: int
    heredocs: tuple[Heredoc, ...] = ()
    trigger: "Instruction | None" = None


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """All instructions, and the character that escapes."""

    instructions: tuple[Instruction, ...]
    escape: str


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile. Raises BadParameter "dockerfile parse error ..." with the line's number."""
    if len(text) > LIMIT:
        raise BadParameter(f"dockerfile parse error: it has more than {LIMIT} characters")
    directives = Directives()
    lines = _Lines(text.removeprefix("\ufeff"))
    found = []
    while (first := lines.next()) is not None:
        number = lines.number
        try:
            line = _whole(first, lines, directives)
            if line is not None:
                found.append(_instruction(line, lines, directives, number))
        except BadParameter as error:
            raise BadParameter(f"dockerfile parse error on line {number}: {error}") from None
    if not found:
        raise BadParameter("dockerfile parse error: file with no instructions")
    return Dockerfile(tuple(found), directives.escape)


def parse_line(text: str, escape: str = "\\") -> Instruction:
    """Read one instruction, such as an image's trigger. Raises BadParameter."""
    directives = Directives(escape=escape)
    first, *more = text.splitlines(keepends=True) or [""]
    lines = _Lines("".join(more))
    return _instruction(first.strip(), lines, directives, 1)


class _Lines:
    """Lines one by one, with their ends."""

    def __init__(self, text: str) -> None:
        self._lines: Iterator[str] = iter(re.findall(r"[^\n]*\n|[^\n]+", text))
        self.number = 0

    def next(self) -> str | None:
        """Give the next line; None after the last."""
        line = next(self._lines, None)
        if line is not None:
            self.number += 1
        return line


def _whole(first: str, lines: _Lines, directives: Directives) -> str | None:
    """Join an instruction's lines; None for a comment and an empty line."""
    stripped = first.rstrip("\r\n").lstrip()
    directives.look(stripped)
    text, ended = directives.cut("" if stripped.startswith("#") else stripped)
    if ended and not text:
        return None
    pieces = [text]
    while not ended and (line := lines.next()) is not None:
        line = line.rstrip("\r\n")
        directives.look(line)
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        text, ended = directives.cut(line)
        pieces.append(text)
    return "".join(pieces)


def _instruction(line: str, lines: _Lines, directives: Directives, number: int) -> Instruction:
    word, value, trigger = _read(line, directives, number)
    place = trigger if word.lower() == "onbuild" and trigger else None
    heredocs: list[Heredoc] = []
    original = line
    takes = (place.word if place else word.lower()) in _WITH_HEREDOCS and not (place or value).is_json
    if takes and "<<" in line:
        for wanted in heredocs_of(line):
            heredoc, text = _filled(wanted, lines)
            heredocs.append(heredoc)
            original += text if original.endswith("\n") else f"\n{text}"
    return Instruction(
        word=word.lower(),
        flags=value.flags,
        values=value.values,
        is_json=value.is_json,
        rest=value.rest,
        original=original,
        first_line=number,
        last_line=lines.number,
        heredocs=tuple(heredocs),
        trigger=trigger,
    )


def _read(line: str, directives: Directives, number: int) -> tuple[str, Value, Instruction | None]:
    """Take one line's text apart."""
    parts = _SPACES.split(line.strip(), maxsplit=1)
    flags, rest = flags_of(parts[1]) if len(parts) == 2 else ((), "")
    value = read_value(parts[0].lower(), flags, rest.strip(), directives.escape)
    if parts[0].lower() != "onbuild" or not value.rest:
        return parts[0], value, None
    word, inner, nested = _read(value.rest, directives, number)
    trigger = Instruction(
        word.lower(), inner.flags, inner.values, inner.is_json, inner.rest, value.rest, number, number, (), nested
    )
    return parts[0], value, trigger


def flags_of(text: str) -> tuple[tuple[str, ...], str]:
    """Take the `--flags` from the beginning; what is left begins with the first other word."""
    found: list[str] = []
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if not text.startswith("--", at):
            return tuple(found), text[at:]
        word, at = _flag(text, at)
        if word == "--":
            return tuple(found), text[at:]
        found.append(word)


def _flag(text: str, at: int) -> tuple[str, int]:
    """Read one flag's word, with quotes and backslashes taken away."""
    word, quote = "", ""
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
            word += text[at : at + 1]
        elif quote:
            if char == quote:
                quote = ""
            else:
                word += char
        elif char.isspace():
            break
        elif char in "'\"":
            quote = char
        else:
            word += char
        at += 1
    return word, at


def heredocs_of(line: str) -> list[Heredoc]:
    """Find the documents that a line announces, still empty."""
    try:
        found = words(line, rules=Rules(raw_quotes=True, raw_escapes=True, keep_unset=True))
    except BadParameter:
        return []
    return [heredoc for word in found if (heredoc := heredoc_of(word)) is not None]


def heredoc_of(word: str) -> Heredoc | None:
    """Read `<<NAME`, `<<-NAME`, `3<<"NAME"`; None for another word."""
    match = _HEREDOC.fullmatch(word)
    if match is None or not match[3]:
        return None
    try:
        plain = words(match[3], rules=Rules(keep_unset=True))
        quoted = words(match[3], rules=Rules(raw_quotes=True, keep_unset=True))
    except BadParameter:
        return None
    if len(plain) != 1 or len(quoted) != 1:
        return None
    descriptor = int(match[1]) if match[1] else 0
    return Heredoc(plain[0], "", plain == quoted, bool(match[2]), descriptor)


def _filled(wanted: Heredoc, lines: _Lines) -> tuple[Heredoc, str]:
    """Read a document up to its end; with it the text as it was written."""
    content: list[str] = []
    while (line := lines.next()) is not None:
        bare = line.rstrip("\r\n")
        if (bare.lstrip("\t") if wanted.chomps else bare) == wanted.name:
            text = "".join(content)
            return Heredoc(wanted.name, text, wanted.expands, wanted.chomps, wanted.descriptor), text + line
        content.append(line)
    raise BadParameter("unterminated heredoc")


def chomped(heredoc: Heredoc) -> str:
    """Return a document's text as it is used: `<<-` takes the tabs at the beginning of lines away."""
    return re.sub(r"^\t+", "", heredoc.content, flags=re.MULTILINE) if heredoc.chomps else heredoc.content
