"""`moor pull` and `moor push`. Source: docker/cli cli/command/image/{pull,push}.go."""

import sys
from collections.abc import Iterator
from typing import Any, TextIO

import click

from runtime.cli.client import segment
from runtime.cli.credentials import Logins, header
from runtime.cli.options import Failure, command, flag
from runtime.cli.progress import Progress, quietly
from runtime.cli.references import Name, cut
from runtime.cli.session import Session

_PLATFORM = click.option("--platform", default="", help="Set platform if server is multi-platform capable")


def auth(session: Session, name: Name) -> dict[str, str]:
    """The header that carries the login for a name's registry."""
    logins = Logins(session.config)
    if not logins.any():
        return header({})
    return header(logins.find(name.registry or default_registry(session)))


def default_registry(session: Session) -> str:
    """The registry of names without a host, as the daemon says."""
    return str(session.client.json("/info").get("IndexServerAddress") or "")


def pull_image(session: Session, text: str, *, platform: str = "", stream: TextIO | None, every: bool = False) -> None:
    """Pull, showing the progress on `stream`, or nowhere. Raises: Refused, Failure."""
    name = cut(text)
    wanted = "" if every else name.digest or name.tag or "latest"
    query = {"fromImage": name.repository, "tag": wanted or None, "platform": platform or None}
    answer = session.client.ask("POST", "/images/create", query, headers=auth(session, name))
    if stream is None:
        quietly(answer.documents())
    else:
        Progress(stream).show(answer.documents())


@command("[OPTIONS] NAME[:TAG|@DIGEST]", least=1, most=1)
@flag("-a", "--all-tags", help="Download all tagged images in the repository")
@_PLATFORM
@flag("-q", "--quiet", help="Suppress verbose output")
def pull(session: Session, words: tuple[str, ...], all_tags: bool, platform: str, quiet: bool) -> None:
    """Download an image from a registry."""
    name = cut(words[0])
    if all_tags and (name.tag or name.digest):
        raise Failure("tag can't be used with --all-tags/-a")
    if not all_tags and not name.tag and not name.digest and not quiet:
        click.echo("Using default tag: latest")
    pull_image(session, words[0], platform=platform, stream=None if quiet else sys.stdout, every=all_tags)
    click.echo(name.repository if all_tags else name.tagged)


@command("[OPTIONS] NAME[:TAG]", least=1, most=1, of="image")
@flag("-a", "--all-tags", help="Push all tags of an image to the repository")
@_PLATFORM
@flag("-q", "--quiet", help="Suppress verbose output")
def push(session: Session, words: tuple[str, ...], all_tags: bool, platform: str, quiet: bool) -> None:
    """Upload an image to a registry."""
    name = cut(words[0])
    if name.digest:
        raise Failure("cannot push a digest reference")
    if all_tags and name.tag:
        raise Failure("tag can't be used with --all-tags/-a")
    if not all_tags and not name.tag and not quiet:
        click.echo("Using default tag: latest")
    query = {"tag": None if all_tags else name.tag or "latest", "platform": _platform(platform)}
    path = f"/images/{segment(name.repository)}/push"
    documents = session.client.ask("POST", path, query, headers=auth(session, name)).documents()
    if quiet:
        quietly(documents)
        click.echo(name.repository if all_tags else name.tagged)
    else:
        Progress(sys.stdout).show(documents)


def _platform(text: str) -> str | None:
    if not text:
        return None
    import json

    names: Iterator[Any] = zip(("os", "architecture", "variant"), text.split("/"), strict=False)
    return json.dumps(dict(names))
