"""`moor update`. Source: docker/cli cli/command/container/update.go; POST /containers/ID/update."""

from typing import Any

import click

from runtime.cli.client import segment
from runtime.cli.commands.states import for_each
from runtime.cli.creation.body import RESOURCES, chosen, restart_policy
from runtime.cli.creation.options import CPU_AND_MEMORY, LOW_LEVEL, Option, options
from runtime.cli.options import Failure, command
from runtime.cli.session import Session

_RT = tuple(row for row in LOW_LEVEL if row.names[-1].startswith("--cpu-rt"))
ROWS = (*CPU_AND_MEMORY, *_RT, Option(("--restart",), "Restart policy to apply when a container exits"))
_NAMES = {row.names[-1].lstrip("-").replace("-", "_") for row in ROWS}


@command("[OPTIONS] CONTAINER [CONTAINER...]", least=1, of="container")
@options(*ROWS)
def update(session: Session, words: tuple[str, ...], **given: Any) -> None:
    """Update configuration of one or more containers."""
    if not any(value is not None for value in given.values()):
        raise Failure("you must provide one or more flags when using this command")
    body = chosen(given, tuple(row for row in RESOURCES if row[1] in _NAMES))
    if given["restart"]:
        body["RestartPolicy"] = restart_policy(given["restart"])

    def act(word: str) -> str:
        answer = session.client.do("POST", f"/containers/{segment(word)}/update", body=body) or {}
        for warning in answer.get("Warnings") or ():
            click.echo(warning, err=True)
        return word

    for_each(words, act)
