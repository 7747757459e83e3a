"""`moorage repo`: repositories, who sees them, and what they say of themselves."""

from typing import Annotated

import typer

from registry.cli.common import Config, Data, Json, say
from registry.cli.opening import administering
from registry.cli.output import cell, print_json, print_row, print_rows

app = typer.Typer(help="Repositories: who sees them, and their descriptions.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="REPOSITORY", help="Such as team/app.")]
VISIBILITY = "public|internal|private"
Namespace = Annotated[str | None, typer.Argument(metavar="[NAMESPACE]", help="Only those below this user or org.")]


@app.command()
def create(
    name: Name,
    visibility: Annotated[str, typer.Option("--visibility", metavar=VISIBILITY, help="Who may pull.")] = "private",
    description: Annotated[str, typer.Option("--description", help="What it is.")] = "",
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Create an empty repository; a push by somebody who may create makes one too, private."""
    from registry.cli.rows import repository_row

    with administering(config, data) as here:
        here.repositories.create(name, visibility, here.origin, description=description)
        view = here.repositories.show(name)
    if as_json:
        print_json(repository_row(view.repository))
    else:
        say(f"Created the {visibility} repository {name}.")


@app.command("list")
def list_repositories(
    namespace: Namespace = None, config: Config = None, data: Data = None, as_json: Json = False
) -> None:
    """List the repositories, the empty ones too."""
    from registry.cli.rows import REPOSITORIES, repository_row

    with administering(config, data) as here:
        found = here.repositories.list(namespace)
    print_rows(map(repository_row, found), REPOSITORIES, as_json=as_json)


@app.command()
def show(name: Name, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Show a repository, and who was granted what on it or on its namespace."""
    from registry.cli.rows import grant_row, repository_row

    with administering(config, data) as here:
        view = here.repositories.show(name)
    row = repository_row(view.repository)
    grants = [grant_row(line) for line in view.grants]
    told = [f"{grant['subject']} {cell(grant['rights'])} ({grant['target']})" for grant in grants]
    print_row({**row, "grants": grants if as_json else told}, as_json=as_json)


@app.command()
def describe(
    name: Name,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="One line; empty: as the images say.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Describe a repository; searches look there too."""
    with administering(config, data) as here:
        here.repositories.describe(name, text, here.origin)
    say(f"Described {name}." if text else f"{name} is described by its images.")


@app.command()
def visibility(
    name: Name,
    who: Annotated[str, typer.Argument(metavar=VISIBILITY, help="Everybody pulls, every user does, or nobody else.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Say who may pull from a repository without being granted it."""
    with administering(config, data) as here:
        before = here.repositories.set_visibility(name, who, here.origin)
    say(f"{name} is {who}; it was {before}.")
