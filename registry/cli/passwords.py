"""Where a command has a password from: a prompt, standard input or chance; never an argument, which others can see."""

import sys
from typing import Annotated

import typer

from registry.cli.common import USAGE, stop

LONGEST_BYTES = 64 * 1024

PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make a random password and print it.")]


def read_password(*, password_stdin: bool, generate: bool) -> str:
    """Give a new password, or exit with 2."""
    if password_stdin and generate:
        stop("--password-stdin and --generate exclude each other", USAGE)
    if generate:
        from auth.secrets import new_password

        return new_password()
    if password_stdin:
        return _from_stdin()
    if not sys.stdin.isatty():
        stop("there is nobody to ask for the password; say --password-stdin or --generate", USAGE)
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True))


def _from_stdin() -> str:
    data = sys.stdin.buffer.read(LONGEST_BYTES)
    try:
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        stop("the password on standard input is not UTF-8", USAGE)
