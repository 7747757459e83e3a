"""What the commands share: reading settings, and telling a person what is wrong with them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from registry.settings import ConfigurationError, Origins, Settings, load

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


def stop(message: str, status: int = FAILURE) -> NoReturn:
    """Tell why nothing was done, and exit."""
    print(f"moorage: {message}", file=sys.stderr)
    raise typer.Exit(status)


def say(message: str) -> None:
    """Tell a person what was done; never on standard output, which is for what was asked for."""
    print(message, file=sys.stderr)
