"""`moor run` and `moor create`. Source: docker/cli cli/command/container/{run,create}.go, also for the exit statuses.

125: the engine could not; 126: the command cannot be run; 127: it is not there; else the container's own.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from runtime.cli.answers import Answer, Broken
from runtime.cli.attached import attached, wait_status
from runtime.cli.client import Refused, Unreachable
from runtime.cli.commands.transfer import pull_image
from runtime.cli.creation.body import document
from runtime.cli.creation.options import CONTAINER, CREATION, options
from runtime.cli.options import Failure, command, flag
from runtime.cli.references import cut
from runtime.cli.session import Session
from runtime.cli.terminal import check_tty, keys, size

PULLS = ("always", "missing", "never")
NOT_FOUND = ("executable file not found", "no such file or directory", "system cannot find the file specified")
NOT_RUNNABLE = ("permission denied", "is a directory")


@command("[OPTIONS] IMAGE [COMMAND] [ARG...]", least=1, options_first=True, of="image")
@flag("-d", "--detach", help="Run container in background and print container ID")
@click.option("--detach-keys", default="", help="Override the key sequence for detaching a container")
@flag("--sig-proxy", default=True, help="Proxy received signals to the process")
@options(*CREATION, *CONTAINER)
def run(session: Session, words: tuple[str, ...], sig_proxy: bool, detach_keys: str, **given: Any) -> int:
    """Create and run a new container from an image."""
    detach = keys(detach_keys or configured_keys(session))
    with _told_as("run"):
        body = document(words[0], words[1:], given)
        if not given["detach"]:
            check_tty(stdin=body["AttachStdin"], tty=given["tty"])
        identifier = _create(session, body, given)
        if not body["AttachStdin"] and not body["AttachStdout"] and not body["AttachStderr"]:
            return _detached(session, identifier)
        return _attached(session, identifier, body, detach, proxy=sig_proxy)


@command("[OPTIONS] IMAGE [COMMAND] [ARG...]", least=1, options_first=True, of="image")
@options(*CREATION, *CONTAINER)
def create(session: Session, words: tuple[str, ...], **given: Any) -> None:
    """Create a new container."""
    with _told_as("create"):
        body = document(words[0], words[1:], {**given, "detach": False})
    click.echo(_create(session, body, given))


def configured_keys(session: Session) -> str:
    """The detach keys of config.json; "" for Docker's own."""
    from runtime.cli.credentials import Logins

    return str(Logins(session.config).document().get("detachKeys") or "")


def _detached(session: Session, identifier: str) -> int:
    click.echo(identifier)  # a container that cannot be started stays: its id is what it can be removed by
    session.client.do("POST", f"/containers/{identifier}/start")
    return 0


def _attached(session: Session, identifier: str, body: Mapping[str, Any], detach: bytes, *, proxy: bool) -> int:
    path = f"/containers/{identifier}"
    query = {
        name.removeprefix("Attach").lower(): 1 for name in ("AttachStdin", "AttachStdout", "AttachStderr") if body[name]
    }
    stream = session.client.hijack(f"{path}/attach", {"stream": 1, **query})
    removed = bool(body["HostConfig"].get("AutoRemove"))
    waiting = session.client.ask("POST", f"{path}/wait", {"condition": "removed" if removed else "next-exit"})
    try:
        session.client.do("POST", f"{path}/start")
    except Refused:
        stream.close()
        if removed:
            with suppress(Refused, Broken):
                waiting.json()
        raise
    tty, stdin = bool(body.get("Tty")), bool(body["AttachStdin"])
    left = attached(session.client, path, stream, tty=tty, stdin=stdin, detach=detach, proxy=proxy)
    return 0 if left else wait_status(waiting)


def _create(session: Session, body: dict[str, Any], given: Mapping[str, Any]) -> str:
    pull = given["pull"] or "missing"
    if pull not in PULLS:
        raise Failure(f'invalid pull option: \'{pull}\': must be one of "always", "missing" or "never"', 125)
    console = size()
    if console:
        body["HostConfig"]["ConsoleSize"] = list(console)
    query = {"name": given["name"], "platform": given["platform"]}
    out = None if given["quiet"] else sys.stderr

    def ask() -> Answer:
        return session.client.ask("POST", "/containers/create", query, body)

    with _id_file(given["cidfile"]) as keep:
        if pull == "always":
            pull_image(session, body["Image"], platform=given["platform"] or "", stream=out)
        created = _pulling(session, ask, body["Image"], given, missing=pull == "missing").json()
        for warning in created.get("Warnings") or ():
            click.echo(f"WARNING: {warning}", err=True)
        keep(created["Id"])
    return str(created["Id"])


def _pulling(
    session: Session, ask: Callable[[], Answer], image: str, given: Mapping[str, Any], *, missing: bool
) -> Answer:
    """Create; pull first where the image is not there."""
    try:
        return ask()
    except Refused as error:
        if error.status != 404 or not missing or "image" not in str(error).lower():
            raise
    out = None if given["quiet"] else sys.stderr
    if out:
        click.echo(f"Unable to find image '{cut(image).tagged}' locally", err=True)
    pull_image(session, image, platform=given["platform"] or "", stream=out)
    return ask()


@contextmanager
def _id_file(name: str | None) -> Iterator[Callable[[str], object]]:
    """--cidfile: made before the container, and gone again where no container comes to be."""
    if not name:
        yield lambda _identifier: None
        return
    path = Path(name)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        raise Failure(
            f"container ID file found, make sure the other container isn't running or delete {name}", 125
        ) from None
    except OSError as error:
        raise Failure(f"failed to create the container ID file: {error}", 125) from error
    with open(fd, "w") as file:  # noqa: PTH123  # a descriptor
        try:
            yield file.write
        except BaseException:
            path.unlink(missing_ok=True)
            raise


@contextmanager
def _told_as(name: str) -> Iterator[None]:
    """What goes wrong inside is told as `docker run` tells it, with its exit statuses."""
    try:
        yield
    except Refused as error:
        raise _failure(f"Error response from daemon: {error}", name, start_status(str(error))) from error
    except (Unreachable, Broken) as error:
        raise _failure(str(error), name, 125) from error
    except Failure as error:
        if error.status == 1:
            raise
        raise _failure(str(error), name, error.status) from error


def _failure(message: str, name: str, status: int) -> Failure:
    return Failure(f"moor: {message}\n\nRun 'moor {name} --help' for more information", status)


def start_status(message: str) -> int:
    """The exit status that a failed start has: 127, 126 or 125."""
    if any(sign in message for sign in NOT_FOUND):
        return 127
    return 126 if any(sign in message for sign in NOT_RUNNABLE) else 125
