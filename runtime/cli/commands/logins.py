"""`moor login` and `moor logout`. Source: docker/cli cli/command/registry/{login,logout}.go; POST /auth.

The daemon tries the login before anything is stored; a password is read without echo, or from standard input.
"""

import sys
from typing import Any

import click

from runtime.cli.commands.transfer import default_registry
from runtime.cli.credentials import Logins
from runtime.cli.options import Failure, command, flag
from runtime.cli.session import Session

PASSWORD_LIMIT = 1 << 16


@command("[OPTIONS] [SERVER]", most=1)
@click.option("-p", "--password", default=None, help="Password or Personal Access Token (PAT)")
@flag("--password-stdin", help="Take the Password or Personal Access Token (PAT) from stdin")
@click.option("-u", "--username", default=None, help="Username")
def login(
    session: Session, words: tuple[str, ...], password: str | None, password_stdin: bool, username: str | None
) -> None:
    """Authenticate to a registry."""
    logins = Logins(session.config)
    registry = server_of(words[0]) if words else default_registry(session)
    if username is None and password is None and not password_stdin:
        kept = logins.find(registry)
        if kept and _again(session, logins, registry, kept):
            return
        username = kept.get("username")
    user, secret = _asked(registry, username, _given(password, username, stdin=password_stdin), kept=username)
    status = _try(session, logins, registry, {"username": user, "password": secret})
    click.echo(status)


def server_of(text: str) -> str:
    """host[:port] of what a user calls a registry; Docker Hub's own key stays as it is."""
    return (
        text.removeprefix("https://").removeprefix("http://").partition("/")[0]
        if "index.docker.io" not in text
        else text
    )


def _given(password: str | None, username: str | None, *, stdin: bool) -> str | None:
    if stdin or password == "-":  # noqa: S105  # Docker's word for standard input
        if password not in {None, "-"}:
            raise Failure("conflicting options: cannot specify both --password and --password-stdin")
        if not username:
            raise Failure("the --password-stdin option requires --username to be set")
        password = sys.stdin.read(PASSWORD_LIMIT).removesuffix("\n").removesuffix("\r")
    elif password:
        click.echo("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", err=True)
    if username == "":
        raise Failure("username is empty")
    if password is not None and not password.strip():
        raise Failure("password is empty")
    return password


def _asked(registry: str, username: str | None, password: str | None, *, kept: str | None) -> tuple[str, str]:
    """The name and password, asked for on the terminal where they were not given. Raises: Failure."""
    if username and password:
        return username, password
    if not sys.stdin.isatty():
        raise Failure("error: cannot perform an interactive login from a non-TTY device")
    from getpass import getpass

    click.echo(f"Log in to {registry}", err=True)
    if not username:
        username = input(f"Username{f' ({kept})' if kept else ''}: ").strip() or (kept or "")
    if not username:
        raise Failure("username is required")
    password = password or getpass("Password: ")
    if not password.strip():
        raise Failure("password is required")
    return username, password


def _again(session: Session, logins: Logins, registry: str, kept: dict[str, str]) -> bool:
    """Log in with what is stored; says whether that was good."""
    from runtime.cli.client import Refused

    name = kept.get("username", "")
    click.echo(f"Authenticating with existing credentials...{f' [Username: {name}]' if name else ''}", err=True)
    try:
        click.echo(_try(session, logins, registry, kept))
    except Refused as error:
        what = (
            "Stored credentials invalid or expired" if error.status == 401 else f"Login did not succeed, error: {error}"
        )
        click.echo(what, err=True)
        return False
    return True


def _try(session: Session, logins: Logins, registry: str, credentials: dict[str, Any]) -> str:
    """Let the daemon log in, store what it says is good, and return its sentence. Raises: Refused, Failure."""
    answer = session.client.do("POST", "/auth", body={**credentials, "serveraddress": registry}) or {}
    token = str(answer.get("IdentityToken") or credentials.get("identitytoken") or "")
    helper = logins.store(
        registry, credentials.get("username", ""), token or credentials.get("password", ""), token=bool(token)
    )
    if not helper:
        click.echo(
            f"\nWARNING! Your credentials are stored unencrypted in '{logins.path}'.\n"
            "Configure a credential helper to remove this warning.\n",
            err=True,
        )
    return str(answer.get("Status") or "Login Succeeded")


@command("[SERVER]", most=1)
def logout(session: Session, words: tuple[str, ...]) -> None:
    """Log out from a registry."""
    registry = server_of(words[0]) if words else default_registry(session)
    click.echo(f"Removing login credentials for {registry}")
    Logins(session.config).forget(registry)
