"""Lists as Docker prints them: tables with aligned columns, `--format` templates, JSON a line, ids only.

A row is a mapping of Docker's field names (ID, Names, ...) to text. Pure but for what is printed.
Source: docker/cli cli/command/formatter (formatter.go, and tabwriter with a width of 10 and a padding of 3).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from runtime.cli.options import Failure

WIDTH = 10
PADDING = 3

_FIELD = re.compile(r"\{\{[^{}]*?\.(\w+)[^{}]*?\}\}")


def aligned(rows: Iterable[Sequence[str]], *, width: int = WIDTH, padding: int = PADDING) -> list[str]:
    """Lines of columns, each as wide as its widest cell and at least `width`; the last one is not padded."""
    table = [list(row) for row in rows]
    columns = max((len(row) for row in table), default=0)
    widths = [
        max(width, *(len(row[column]) + padding for row in table if column < len(row) - 1), 0)
        for column in range(columns)
    ]
    return ["".join(cell.ljust(widths[i]) for i, cell in enumerate(row[:-1])) + row[-1] for row in table if row]


class Listing:
    """How a command shows its rows: the columns of its table, and the header of every field."""

    def __init__(self, columns: Sequence[str], headers: Mapping[str, str], identifier: str = "ID") -> None:
        self._columns = columns
        self._headers = headers
        self._identifier = identifier

    def show(self, rows: Iterable[Mapping[str, Any]], form: str | None, *, quiet: bool = False) -> None:
        """Print rows by `--format` (table, table TEMPLATE, json, TEMPLATE; none is a table) or their ids only.

        Raises: Failure for a template that cannot be read.
        """
        if quiet and not form:
            for row in rows:
                click.echo(row[self._identifier])
        elif form in {None, "", "table"}:
            header = [self._headers[column] for column in self._columns]
            _print(aligned([header, *([str(row[column]) for column in self._columns] for row in rows)]))
        elif form == "json":
            self._each(rows, "{{json .}}")
        elif str(form).startswith("table "):
            self._table(rows, str(form).removeprefix("table ").strip())
        else:
            self._each(rows, str(form))

    def _table(self, rows: Iterable[Mapping[str, Any]], form: str) -> None:
        form = _unescaped(form)
        header = _FIELD.sub(lambda match: self._headers.get(match[1], match[1].upper()), form)
        lines = [header.split("\t")]
        lines += [text.split("\t") for text in _rendered(form, rows)]
        _print(aligned(lines))

    def _each(self, rows: Iterable[Mapping[str, Any]], form: str) -> None:
        for text in _rendered(_unescaped(form), [dict(sorted(row.items())) for row in rows]):
            click.echo(text)


def rendered(form: str, value: Any, *, told_as: str = "") -> str:
    """One value by a template. Raises: Failure, whose text begins with `told_as`."""
    return next(iter(_rendered(_unescaped(form), [value], told_as)))


def _rendered(form: str, rows: Iterable[Any], told_as: str = "") -> Iterable[str]:
    from runtime.cli.template_functions import ParseError, TemplateError
    from runtime.cli.templates import Template  # most commands print a table

    try:
        template = Template(form)
        return [template.render(row) for row in rows]
    except ParseError as error:
        raise Failure(f"{told_as or 'failed to parse template: '}{error}", 64 if told_as else 1) from error
    except TemplateError as error:
        raise Failure(f"{told_as or 'failed to execute template: '}{error}") from error


def _unescaped(form: str) -> str:
    """A shell's `\\t` and `\\n` inside single quotes are meant as tab and newline."""
    return form.replace("\\t", "\t").replace("\\n", "\n")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line.rstrip("\n"))
