"""`moorage grant`: rights for users, teams and robots, on a repository or a whole namespace."""

from typing import Annotated

import typer

from registry.cli import rights as words
from registry.cli.common import Config, Data, Json, say
from registry.cli.opening import administering
from registry.cli.output import cell, print_json, print_rows

app = typer.Typer(help="Grants: who may do what, and where.", no_args_is_help=True)

Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="A user (ada), a team (acme/devs), a robot (acme+ci).")]
Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="A repository (acme/app), or all below an org or user (acme).")
]


@app.command()
def add(
    subject: Subject,
    rights: Annotated[str, typer.Argument(metavar="RIGHTS", help=words.HELP)],
    target: Target,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Grant rights; they take the place of what the subject was granted on that target before."""
    from registry.cli.rows import grant_row

    wanted = words.read_rights(rights)
    with administering(config, data) as here:
        line = here.grants.put(subject, wanted, target, here.origin)
    if as_json:
        print_json(grant_row(line))
    else:
        say(f"{subject} has {cell(grant_row(line)['rights'])} on {line.target}.")


@app.command()
def remove(subject: Subject, target: Target, config: Config = None, data: Data = None) -> None:
    """Take away what was granted to a subject on a target."""
    with administering(config, data) as here:
        here.grants.remove(subject, target, here.origin)
    say(f"{subject} has no grant on {target} any more.")


@app.command("list")
def list_grants(
    name: Annotated[str | None, typer.Argument(metavar="[SUBJECT|TARGET]", help="Only to whom, or on what.")] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the grants. Owners of organisations and of their own namespace need none."""
    from registry.cli.rows import GRANTS, grant_row

    with administering(config, data) as here:
        found = here.grants.list(name)
    print_rows(map(grant_row, found), GRANTS, as_json=as_json)
