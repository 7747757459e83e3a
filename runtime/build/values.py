"""The arguments of each instruction, by its own form: words, name=value pairs, a JSON list, or text as it is. Pure.

Source: BuildKit's frontend/dockerfile/parser/line_parsers.go.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from runtime.errors import BadParameter

_SPACES = re.compile(r"[\t\v\f\r ]+")


@dataclass(frozen=True, slots=True)
class Value:
    """An instruction's arguments; see `parser.Instruction`."""

    flags: tuple[str, ...]
    values: tuple[str, ...]
    is_json: bool
    rest: str


_Found = tuple[tuple[str, ...], bool]


def read_value(word: str, flags: tuple[str, ...], rest: str, escape: str) -> Value:
    """Read what follows an instruction's word. Raises BadParameter."""
    reader = _READERS.get(word)
    values, is_json = reader(rest, escape) if reader and rest else ((), False)
    return Value(flags, values, is_json, rest)


def _text(rest: str, _: str) -> _Found:
    return (rest,), False


def _separate(rest: str, _: str) -> _Found:
    return tuple(_SPACES.split(rest)), False


def _json(rest: str) -> tuple[str, ...] | None:
    """Read a JSON list of strings; None where it is no JSON list. Raises BadParameter for other items."""
    if not rest.lstrip().startswith("["):
        return None
    try:
        found = json.loads(rest, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(item, str) for item in found):
        raise BadParameter("when using JSON array syntax, arrays must be comprised of strings only")
    return tuple(found)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _json_or_text(rest: str, escape: str) -> _Found:
    found = _json(rest)
    return (found, True) if found is not None else _text(rest, escape)


def _json_or_words(rest: str, escape: str) -> _Found:
    found = _json(rest)
    return (found, True) if found is not None else _separate(rest, escape)


def _health(rest: str, escape: str) -> _Found:
    parts = rest.split(maxsplit=1)
    if len(parts) == 1:
        return (parts[0],), False
    values, is_json = _json_or_text(parts[1], escape)
    return (parts[0], *values), is_json


def _arguments(rest: str, escape: str) -> _Found:
    return tuple(split_words(rest, escape)), False


def _pairs(word: str) -> Callable[[str, str], _Found]:
    def read(rest: str, escape: str) -> _Found:
        found = split_words(rest, escape)
        if not found:
            return (), False
        if "=" not in found[0]:
            parts = _SPACES.split(rest, maxsplit=1)
            if len(parts) < 2:
                raise BadParameter(f"{word} must have two arguments")
            return (parts[0], parts[1]), False
        for item in found:
            if "=" not in item:
                raise BadParameter(
                    f"Syntax error - can't find = in {json.dumps(item)}. Must be of the form: name=value"
                )
        return tuple(part for item in found for part in item.split("=", 1)), False

    return read


def split_words(text: str, escape: str) -> list[str]:
    """Take text apart at spaces outside of quotes; quotes and escapes stay where they are."""
    found: list[str] = []
    word, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        if not quote and char.isspace():
            if word:
                found.append(word)
            word = ""
        elif char == escape and quote != "'":
            if at + 1 == len(text):
                break  # an escape that escapes nothing is left out
            word += text[at : at + 2]
            at += 1
        else:
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            word += char
        at += 1
    return [*found, word] if word else found


_READERS: Mapping[str, Callable[[str, str], _Found]] = MappingProxyType(
    {
        "add": _json_or_words,
        "arg": _arguments,
        "cmd": _json_or_text,
        "copy": _json_or_words,
        "entrypoint": _json_or_text,
        "env": _pairs("ENV"),
        "expose": _separate,
        "from": _separate,
        "healthcheck": _health,
        "label": _pairs("LABEL"),
        "maintainer": _text,
        "run": _json_or_text,
        "shell": _json_or_text,
        "stopsignal": _text,
        "user": _text,
        "volume": _json_or_words,
        "workdir": _text,
    }
)
