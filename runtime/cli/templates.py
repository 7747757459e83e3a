"""Go's text/template, as far as `--format` needs it: fields, pipelines, if, range, with, variables, Docker's functions.

Pure: values are JSON's, and objects whose fields are found by `field`. Templates that use what is not here (define,
block, template) are refused by name. Source: https://pkg.go.dev/text/template, docker/cli templates/templates.go.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.cli.template_functions import FUNCTIONS, Method, ParseError, TemplateError, index, text_of, truth

_ACTION = re.compile(
    r"\{\{(- )?\s*(/\*.*?\*/|(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|'[^']*'|[^\"`'])*?)\s*( -)?\}\}", re.DOTALL
)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<name>\$?\w+|\$)|(?P<field>(?:\.\w+)+|\.)|(?P<mark>:=|[|(),=]))"""
)


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of a template: `kind` is text, action, if, range or with."""

    kind: str
    text: str = ""
    body: "tuple[Node, ...]" = ()
    otherwise: "tuple[Node, ...]" = ()


class Template:
    """A parsed template; `render` may be called any number of times."""

    def __init__(self, source: str) -> None:
        """Parse. Raises: TemplateError with Go's kind of sentence."""
        pieces = list(_pieces(source))
        self._nodes, rest = _block(pieces, inside=False)
        if rest:
            raise ParseError(f"template: :1: unexpected {{{{{rest[0].text}}}}}")

    def render(self, value: Any) -> str:
        """The template's text for one value. Raises: TemplateError."""
        return "".join(_run(self._nodes, value, {"$": value}))


def _pieces(source: str) -> Iterator[Node]:
    place, trim = 0, False
    for match in _ACTION.finditer(source):
        text = source[place : match.start()]
        text = text.lstrip() if trim else text
        yield Node("text", text.rstrip() if match[1] else text)
        if not match[2].startswith("/*"):
            yield Node("action", match[2])
        place, trim = match.end(), bool(match[3])
    rest = source[place:]
    if "{{" in rest:
        raise ParseError("template: :1: unclosed action")
    yield Node("text", rest.lstrip() if trim else rest)


def _block(pieces: list[Node], *, inside: bool) -> tuple[tuple[Node, ...], list[Node]]:
    """Read nodes up to an `end` or `else` (kept at the front of the rest) or to the template's end."""
    nodes: list[Node] = []
    while pieces:
        piece = pieces[0]
        word, _, argument = piece.text.partition(" ")
        if piece.kind == "action" and word in {"end", "else"}:
            return tuple(nodes), pieces
        pieces = pieces[1:]
        if piece.kind == "action" and word in {"if", "range", "with"}:
            node, pieces = _branch(word, argument, pieces)
            nodes.append(node)
        elif piece.kind == "action" and word in {"define", "block", "template", "break", "continue"}:
            raise ParseError(f"template: :1: {{{{{word}}}}} is not supported here")
        else:
            nodes.append(piece)
    if inside:
        raise ParseError("template: :1: unexpected EOF")
    return tuple(nodes), pieces


def _branch(word: str, argument: str, pieces: list[Node]) -> tuple[Node, list[Node]]:
    body, pieces = _block(pieces, inside=True)
    closing, pieces = pieces[0].text, pieces[1:]
    otherwise: tuple[Node, ...] = ()
    if closing.startswith("else"):
        condition = closing.removeprefix("else").strip()
        if condition.startswith(("if ", "with ")):  # {{else if x}} shares the end of what it belongs to
            kind, _, rest = condition.partition(" ")
            nested, pieces = _branch(kind, rest, pieces)
            return Node(word, argument, body, (nested,)), pieces
        otherwise, pieces = _block(pieces, inside=True)
        pieces = pieces[1:]
    return Node(word, argument, body, otherwise), pieces


def _run(nodes: Sequence[Node], dot: Any, variables: dict[str, Any]) -> Iterator[str]:
    for node in nodes:
        if node.kind == "text":
            yield node.text
            continue
        names, expression = _assigned(node.text)
        value = Pipeline(expression, dot, variables).value()
        if node.kind == "action":
            variables.update(dict.fromkeys(names, value))
            if not names:
                yield text_of(value)
        elif node.kind == "range":
            yield from _range(node, names, value, dot, variables)
        else:
            inner = variables | dict.fromkeys(names, value)
            chosen = node.body if truth(value) else node.otherwise
            yield from _run(chosen, value if node.kind == "with" and truth(value) else dot, inner)


def _range(node: Node, names: list[str], value: Any, dot: Any, variables: dict[str, Any]) -> Iterator[str]:
    if isinstance(value, int) and not isinstance(value, bool):
        value = list(range(value))
    if isinstance(value, Mapping):
        pairs: list[tuple[Any, Any]] = sorted(value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        pairs = list(enumerate(value))
    elif value is None:
        pairs = []
    else:
        raise TemplateError(f"range can't iterate over {text_of(value)}")
    for key, item in pairs:
        named = dict(zip(names, (key, item) if len(names) == 2 else (item,), strict=False))
        yield from _run(node.body, item, variables | named)
    if not pairs:
        yield from _run(node.otherwise, dot, variables)


def _assigned(text: str) -> tuple[list[str], str]:
    """Split `$a, $b := pipeline` into names and pipeline."""
    match = re.match(r"\s*((?:\$\w+)(?:\s*,\s*\$\w+)?)\s*:?=(?!=)", text)
    if match is None:
        return [], text
    return [name.strip() for name in match[1].split(",")], text[match.end() :]


class Pipeline:
    """One pipeline being evaluated: `.Names | upper`, `index .Config.Labels "a"`."""

    def __init__(self, text: str, dot: Any, variables: Mapping[str, Any]) -> None:
        self._tokens = _tokens(text)
        self._place = 0
        self._dot = dot
        self._variables = variables
        self._text = text.strip()

    def value(self) -> Any:
        """What the pipeline gives. Raises: TemplateError."""
        found = self._command(())
        while self._peek() == ("mark", "|"):
            self._place += 1
            found = self._command((found,))
        if self._peek() != ("", ""):
            raise ParseError(f"template: :1: unexpected {self._peek()[1]!r} in {{{{{self._text}}}}}")
        return found

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("", "")

    def _command(self, piped: tuple[Any, ...]) -> Any:
        kind, word = self._peek()
        if kind == "name" and word in FUNCTIONS:
            self._place += 1
            return self._called(word, FUNCTIONS[word], piped)
        first = self._operand()
        arguments = (*self._operands(), *piped)
        if isinstance(first, Method):
            return first.function(*arguments)
        if arguments:
            raise TemplateError(f'template: :1: can\'t give argument to non-function "{word}"')
        return first

    def _called(self, name: str, function: Callable[..., Any], piped: tuple[Any, ...]) -> Any:
        try:
            return function(*self._operands(), *piped)
        except (TypeError, ValueError, IndexError) as error:
            raise TemplateError(f"template: :1: error calling {name}: {error}") from error

    def _operands(self) -> list[Any]:
        found = []
        while self._peek()[0] in {"string", "number", "name", "field"} or self._peek() == ("mark", "("):
            value = self._operand()
            found.append(value.function() if isinstance(value, Method) else value)
        return found

    def _operand(self) -> Any:
        kind, word = self._peek()
        self._place += 1
        if kind == "string":
            return _unquoted(word)
        if kind == "number":
            return float(word) if "." in word else int(word)
        if kind == "field":
            return _walk(self._dot, word, self._text)
        if kind == "name":
            return self._path(self._named(word))
        if word == "(":
            return self._path(self._parenthesised())
        raise ParseError(f"template: :1: missing value in {{{{{self._text}}}}}")

    def _parenthesised(self) -> Any:
        found = self._command(())
        while self._peek() == ("mark", "|"):
            self._place += 1
            found = self._command((found,))
        if self._peek() != ("mark", ")"):
            raise ParseError(f"template: :1: unclosed left paren in {{{{{self._text}}}}}")
        self._place += 1
        return found

    def _path(self, value: Any) -> Any:
        if self._peek()[0] == "field" and self._peek()[1] != ".":
            self._place += 1
            return _walk(value, self._tokens[self._place - 1][1], self._text)
        return value

    def _named(self, word: str) -> Any:
        constants = {"true": True, "false": False, "nil": None}
        if word in constants:
            return constants[word]
        if word in self._variables:
            return self._variables[word]
        what = "undefined variable" if word.startswith("$") else "function"
        missing = f'"{word}"' + ("" if word.startswith("$") else " not defined")
        raise ParseError(f"template: :1: {what} {missing}")


def _walk(value: Any, path: str, text: str) -> Any:
    for name in filter(None, path.split(".")):
        if not isinstance(value, Mapping):
            raise TemplateError(f'template: :1:2: executing "" at <{text}>: can\'t evaluate field {name}')
        if name not in value:
            raise TemplateError(f'template: :1:2: executing "" at <{text}>: map has no entry for key "{name}"')
        value = index(value, name)
    return value


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ParseError(f'template: :1: unexpected "{text[place:].strip()[:1]}"')
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        place = match.end()
    return found


def _unquoted(word: str) -> str:
    if word.startswith("`"):
        return word[1:-1]
    escapes = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[0]), word[1:-1], flags=re.DOTALL)
