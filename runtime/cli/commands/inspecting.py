"""`moor inspect` of everything. Source: docker/cli cli/command/inspect/inspector.go, cli/command/system/inspect.go.

What is found is printed even where something else is not; a template sees the document as the API gives it.
"""

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import click

from runtime.cli.client import Refused, segment
from runtime.cli.options import Command, Failure, Function, command, flag
from runtime.cli.session import Session
from runtime.cli.tables import rendered

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "container": "/containers/{}/json",
        "image": "/images/{}/json",
        "network": "/networks/{}",
        "volume": "/volumes/{}",
    }
)
"""Where each kind's document is, in the order in which an unknown name is looked for."""

_FORMAT = click.option("-f", "--format", "form", metavar="TEMPLATE", help="'json' or a Go template")


def _size(function: Function) -> Function:
    return flag("-s", "--size", help="Display total file sizes if the type is container")(function)


@command("[OPTIONS] NAME|ID [NAME|ID...]", least=1, of="container")
@_FORMAT
@_size
@click.option("--type", "kind", default="", help="Only inspect objects of the given type")
def inspect(session: Session, words: tuple[str, ...], form: str | None, size: bool, kind: str) -> None:
    """Return low-level information on Moorage objects."""
    if kind and kind not in KINDS:
        raise Failure(f'unknown type: "{kind}": must be one of {", ".join(KINDS)}')
    show(session, words, form, kinds=[kind] if kind else KINDS, size=size)


@command("[OPTIONS] CONTAINER [CONTAINER...]", least=1, of="container")
@_FORMAT
@_size
def container_inspect(session: Session, words: tuple[str, ...], form: str | None, size: bool) -> None:
    """Display detailed information on one or more containers."""
    show(session, words, form, kinds=["container"], size=size)


def _inspector(kind: str) -> Command:
    @_FORMAT
    def inspector(session: Session, words: tuple[str, ...], form: str | None) -> None:
        show(session, words, form, kinds=[kind])

    inspector.__doc__ = f"Display detailed information on one or more {kind}s."
    name = kind.upper()
    return command(f"[OPTIONS] {name} [{name}...]", least=1, of=kind)(inspector)


image_inspect = _inspector("image")
network_inspect = _inspector("network")
volume_inspect = _inspector("volume")


def show(
    session: Session, words: tuple[str, ...], form: str | None, *, kinds: Iterable[str], size: bool = False
) -> None:
    """Print the documents of these names. Raises: Failure for those that are not there, after the others."""
    found, failures = [], []
    for word in words:
        try:
            found.append(_find(session, word, tuple(kinds), size=size))
        except Refused as error:
            failures.append(f"Error response from daemon: {error}")
        except Failure as error:
            failures.append(str(error))
    for text in _texts(found, form):
        click.echo(text)
    if failures:
        raise Failure("\n".join(failures))


def _texts(found: list[Any], form: str | None) -> Iterable[str]:
    if not form:
        return [json.dumps(found, indent=4, ensure_ascii=False)]
    if form == "json":
        return [json.dumps(found, ensure_ascii=False, separators=(",", ":"))]
    return (rendered(form, one, told_as="template parsing error: ") for one in found)


def _find(session: Session, word: str, kinds: tuple[str, ...], *, size: bool) -> Any:
    for kind in kinds:
        query = {"size": 1} if size and kind == "container" else {}
        try:
            return session.client.json(KINDS[kind].format(segment(word)), query)
        except Refused as error:
            if error.status != 404 or len(kinds) == 1:
                raise
    raise Failure(f"Error: No such object: {word}")
