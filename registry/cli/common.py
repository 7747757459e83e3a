"""What the commands share: reading settings, and telling a person what is wrong with them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import typer

from registry.settings import ConfigurationError, Origins, Settings, load

USAGE = 2
FAILURE = 1


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
