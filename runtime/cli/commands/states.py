"""Commands that change what containers are: stop, kill, restart, pause, unpause, rm, rename, wait.

Each does its work for every name and tells the failures at the end, as Docker's command does.
Source: docker/cli cli/command/container/{stop,kill,restart,pause,unpause,rm,rename,wait}.go.
"""

from collections.abc import Callable

import click

from runtime.cli.client import Refused, segment
from runtime.cli.options import Failure, command, flag
from runtime.cli.session import Session

MANY = "[OPTIONS] CONTAINER [CONTAINER...]"


def for_each(words: tuple[str, ...], act: Callable[[str], str | None]) -> None:
    """Act on every name and print what `act` returns, the name itself as a rule. Raises: Failure, after all of them."""
    failures = []
    for word in words:
        try:
            said = act(word)
            if said is not None:
                click.echo(said)
        except Refused as error:
            failures.append(f"Error response from daemon: {error}")
    if failures:
        raise Failure("\n".join(failures))


def _post(session: Session, words: tuple[str, ...], verb: str, **query: str | int | None) -> None:
    def act(word: str) -> str:
        session.client.do("POST", f"/containers/{segment(word)}/{verb}", query)
        return word

    for_each(words, act)


_SIGNAL = click.option("-s", "--signal", default=None, help="Signal to send to the container")
_SECONDS = click.option(
    "-t", "--timeout", "--time", "timeout", type=int, default=None, help="Seconds to wait before killing the container"
)


@command(MANY, least=1, of="container")
@_SIGNAL
@_SECONDS
def stop(session: Session, words: tuple[str, ...], signal: str | None, timeout: int | None) -> None:
    """Stop one or more running containers."""
    _post(session, words, "stop", t=timeout, signal=signal)


@command(MANY, least=1, of="container")
@_SIGNAL
@_SECONDS
def restart(session: Session, words: tuple[str, ...], signal: str | None, timeout: int | None) -> None:
    """Restart one or more containers."""
    _post(session, words, "restart", t=timeout, signal=signal)


@command(MANY, least=1, of="container")
@_SIGNAL
def kill(session: Session, words: tuple[str, ...], signal: str | None) -> None:
    """Kill one or more running containers."""
    _post(session, words, "kill", signal=signal)


@command("CONTAINER [CONTAINER...]", least=1, of="container")
def pause(session: Session, words: tuple[str, ...]) -> None:
    """Pause all processes within one or more containers."""
    _post(session, words, "pause")


@command("CONTAINER [CONTAINER...]", least=1, of="container")
def unpause(session: Session, words: tuple[str, ...]) -> None:
    """Unpause all processes within one or more containers."""
    _post(session, words, "unpause")


@command(MANY, least=1, of="container")
@flag("-f", "--force", help="Force the removal of a running container (uses SIGKILL)")
@flag("-l", "--link", help="Remove the specified link")
@flag("-v", "--volumes", help="Remove anonymous volumes associated with the container")
def rm(session: Session, words: tuple[str, ...], force: bool, link: bool, volumes: bool) -> None:
    """Remove one or more containers."""
    query = {"force": force or None, "link": link or None, "v": volumes or None}

    def act(word: str) -> str | None:
        name = word.strip("/")
        if not name:
            raise Failure("container name cannot be empty")
        try:
            session.client.do("DELETE", f"/containers/{segment(name)}", query)
        except Refused as error:
            if not (force and error.status == 404):
                raise
            click.echo(f"Error response from daemon: {error}", err=True)
            return None
        return word

    for_each(words, act)


@command("CONTAINER NEW_NAME", least=2, most=2, of="container")
def rename(session: Session, words: tuple[str, ...]) -> None:
    """Rename a container."""
    old, new = words[0].strip(), words[1].strip()
    try:
        session.client.do("POST", f"/containers/{segment(old)}/rename", {"name": new})
    except Refused as error:
        raise Failure(f"Error response from daemon: {error}\nError: failed to rename container named {old}") from error


@command("CONTAINER [CONTAINER...]", least=1, of="container")
def wait(session: Session, words: tuple[str, ...]) -> None:
    """Block until one or more containers stop, then print their exit codes."""

    def act(word: str) -> str:
        ended = session.client.do("POST", f"/containers/{segment(word)}/wait")
        return str(ended["StatusCode"])

    for_each(words, act)
