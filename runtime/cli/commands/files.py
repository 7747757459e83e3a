"""What a container's files have become: diff, commit, export. Source: docker/cli cli/command/container/."""

import sys

import click

from runtime.cli.client import segment
from runtime.cli.commands.archives import store
from runtime.cli.options import Failure, command, flag
from runtime.cli.references import cut
from runtime.cli.session import Session

KINDS = ("C", "A", "D")


@command("CONTAINER", least=1, most=1, of="container")
def diff(session: Session, words: tuple[str, ...]) -> None:
    """Inspect changes to files or directories on a container's filesystem."""
    for change in session.client.json(f"/containers/{segment(words[0])}/changes") or ():
        click.echo(f"{KINDS[change['Kind']]} {change['Path']}")


@command("[OPTIONS] CONTAINER [REPOSITORY[:TAG]]", least=1, most=2, of="container")
@click.option("-a", "--author", default=None, help='Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")')
@click.option("-c", "--change", "changes", multiple=True, help="Apply Dockerfile instruction to the created image")
@click.option("-m", "--message", default=None, help="Commit message")
@flag("-p", "--pause", default=True, help="Pause container during commit")
@flag("--no-pause", help="Do not pause container during commit")
def commit(
    session: Session,
    words: tuple[str, ...],
    author: str | None,
    changes: tuple[str, ...],
    message: str | None,
    pause: bool,
    no_pause: bool,
) -> None:
    """Create a new image from a container's changes."""
    target = cut(words[1]) if len(words) > 1 else None
    query = {
        "container": words[0],
        "repo": target.repository if target else None,
        "tag": target.tag or None if target else None,
        "author": author,
        "comment": message,
        "changes": list(changes),
        "pause": pause and not no_pause,
    }
    click.echo(session.client.do("POST", "/commit", query, {})["Id"])


@command("[OPTIONS] CONTAINER", least=1, most=1, of="container")
@click.option("-o", "--output", default="", help="Write to a file, instead of STDOUT")
def export(session: Session, words: tuple[str, ...], output: str) -> None:
    """Export a container's filesystem as a tar archive."""
    if not output and sys.stdout.isatty():
        raise Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    store(session.client.ask("GET", f"/containers/{segment(words[0])}/export").blocks(), output)
