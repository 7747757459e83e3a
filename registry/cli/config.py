"""`moorage config`: are the settings right, and where does each come from?"""

import re
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.cli.common import read_settings, stop
from registry.settings import every_key

PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*@")

app = typer.Typer(help="Check and show the settings.", no_args_is_help=True)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file with settings.")]


@app.command()
def check(config: ConfigFile = None) -> None:
    """Check the settings, the data directory and the database, and change nothing."""
    from registry.checks import problems

    settings, _ = read_settings(config)
    found = problems(settings)
    if found:
        stop("\nmoorage: ".join(found))
    print("The settings are valid.")


@app.command()
def show(config: ConfigFile = None) -> None:
    """Show every setting with its origin."""
    settings, origins = read_settings(config)
    values = settings.model_dump(mode="json")
    for name in every_key():
        section, _, key = name.rpartition(".")
        value = reduce(dict.__getitem__, name.split("."), values)
        print(f"{name} = {_shown(value)}    # {origins.get((section, key), 'default')}")


def _shown(value: Any) -> str:
    """Write a value; a password inside an address is not shown."""
    if isinstance(value, str):
        value = PASSWORD.sub(r"\1***@", value)
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
