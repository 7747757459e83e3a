"""The functions that Go's templates and Docker's `--format` know, and how values look as text. Pure.

Source: https://pkg.go.dev/text/template#hdr-Functions, docker/cli templates/templates.go.
"""

import json as json_text
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_VERB = re.compile(r"%[-+# 0]*\d*(?:\.\d+)?[vdsqxXobftT%]")


class TemplateError(Exception):
    """The template does not fit the value. `str(error)` is Go's kind of sentence."""


class ParseError(TemplateError):
    """The template cannot be read at all."""


@dataclass(frozen=True, slots=True)
class Method:
    """A field that takes arguments, such as `.Label "name"`."""

    function: Callable[..., Any]


def text_of(value: Any) -> str:
    """A value as Go's fmt prints it (%v): `[a b]`, `map[a:1 b:2]`, true, <no value>."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        inner = " ".join(f"{key}:{_inner(value[key])}" for key in sorted(value))
        return f"map[{inner}]"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{' '.join(map(_inner, value))}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)


def _inner(value: Any) -> str:
    if isinstance(value, Mapping) and not value:
        return "{}"  # what the API has as an empty object within another is an empty struct in Docker (ExposedPorts)
    return "<nil>" if value is None else text_of(value)


def truth(value: Any) -> bool:
    """What `if` goes by: nothing, false, 0 and what is empty are not."""
    return bool(value)


def index(value: Any, *keys: Any) -> Any:
    """`index .Map "key"`, `index .List 0`; a key that is not there gives nothing."""
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence):
            if not 0 <= int(key) < len(value):
                raise IndexError(f"index out of range: {key}")
            value = value[int(key)]
        else:
            raise TypeError(f"can't index item of type {type(value).__name__}")
    return value


def to_json(value: Any) -> str:
    """`json .Field`, on one line and in Go's spacing."""
    if isinstance(value, Mapping):
        value = {name: item for name, item in value.items() if not isinstance(item, Method)}
    return json_text.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _printed(form: str, *values: Any) -> str:
    left = list(values)

    def put(match: re.Match[str]) -> str:
        verb = match[0][-1]
        if verb == "%":
            return "%"
        if not left:
            return f"%!{verb}(MISSING)"
        value = left.pop(0)
        if verb in "dxXobf":
            return str(match[0] % value)
        text = json_text.dumps(value) if verb == "q" else text_of(value)
        return (match[0][:-1] + "s") % text

    return _VERB.sub(put, form)


def _cut(value: str, length: int) -> str:
    return value if len(value) <= length else value[:length]


def _any(*values: Any) -> Any:
    return next((value for value in values if truth(value)), values[-1])


def _all(*values: Any) -> Any:
    return next((value for value in values if not truth(value)), values[-1])


def _pad(text: str, before: int, after: int) -> str:
    return " " * before + text + " " * after if text else text


def _slice(value: Any, *bounds: int) -> Any:
    return value[slice(*bounds)] if len(bounds) > 1 else value[bounds[0] :] if bounds else value


FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "json": to_json,
        "join": lambda values, mark: mark.join(map(text_of, values or ())),
        "split": lambda text, mark: text.split(mark),
        "lower": lambda text: text.lower(),
        "upper": lambda text: text.upper(),
        "title": lambda text: text.title(),
        "truncate": _cut,
        "pad": _pad,
        "println": lambda *values: " ".join(map(text_of, values)) + "\n",
        "print": lambda *values: "".join(map(text_of, values)),
        "printf": _printed,
        "len": lambda value: len(value or ()),
        "index": index,
        "slice": _slice,
        "not": lambda value: not truth(value),
        "and": _all,
        "or": _any,
        "eq": lambda first, *others: any(first == other for other in others),
        "ne": lambda first, second: first != second,
        "lt": lambda first, second: first < second,
        "le": lambda first, second: first <= second,
        "gt": lambda first, second: first > second,
        "ge": lambda first, second: first >= second,
    }
)
