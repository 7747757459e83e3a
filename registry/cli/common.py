"""What the commands share: reading settings, and telling a person what is wrong with them."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from registry.settings import ConfigurationError, Origins, Settings, load

if TYPE_CHECKING:
    from registry.cli.administration import Administration

USAGE = 2
FAILURE = 1

Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with settings.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data directory of the server.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def read_settings(
    config: Path | None, given: Mapping[str, Mapping[str, object]] | None = None
) -> tuple[Settings, Origins]:
    """Read the settings, or tell every mistake and exit with 2."""
    try:
        return load(config, given)
    except ConfigurationError as error:
        for problem in error.problems:
            print(f"moorage: {problem}", file=sys.stderr)
        raise typer.Exit(USAGE) from None


@contextmanager
def administering(config: Path | None, data: Path | None, status: int = FAILURE) -> Iterator["Administration"]:
    """Open what administration works on; whatever is refused inside is told, and exits with `status`."""
    settings, _ = read_settings(config, {"storage": {"path": data}} if data is not None else None)
    from registry.cli.administration import opened

    with opened(settings, status) as administration:
        yield administration


def stop(message: str, status: int = FAILURE) -> NoReturn:
    """Tell why nothing was done, and exit."""
    print(f"moorage: {message}", file=sys.stderr)
    raise typer.Exit(status)


def say(message: str) -> None:
    """Tell a person what was done; never on standard output, which is for what was asked for."""
    print(message, file=sys.stderr)
