"""`moorage team`: members of an organisation who get rights together."""

from typing import Annotated

import typer

from registry.cli.common import Config, Data, Json, say
from registry.cli.opening import administering
from registry.cli.output import print_json, print_rows

app = typer.Typer(help="Teams: members of an organisation who get rights together.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ORG/TEAM", help="The team, such as acme/devs.")]
User = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]
Organization = Annotated[str | None, typer.Argument(metavar="[ORG]", help="Only this organisation's.")]


@app.command()
def add(name: Name, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Add a team."""
    from registry.cli.rows import team_row

    with administering(config, data) as here:
        team = here.teams.add(name, here.origin)
    if as_json:
        print_json(team_row(team))
    else:
        say(f"Added the team {name}.")


@app.command("list")
def list_teams(org: Organization = None, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """List the teams with their members."""
    from registry.cli.rows import TEAMS, team_row

    with administering(config, data) as here:
        teams = here.teams.list(org)
    print_rows(map(team_row, teams), TEAMS, as_json=as_json)


@app.command()
def remove(name: Name, config: Config = None, data: Data = None) -> None:
    """Remove a team with its grants."""
    with administering(config, data) as here:
        here.teams.remove(name, here.origin)
    say(f"Removed the team {name}.")


@app.command("member-add")
def member_add(name: Name, user: User, config: Config = None, data: Data = None) -> None:
    """Take a member of the organisation into a team."""
    with administering(config, data) as here:
        here.teams.add_member(name, user, here.origin)
    say(f"{user} is in the team {name}.")


@app.command("member-remove")
def member_remove(name: Name, user: User, config: Config = None, data: Data = None) -> None:
    """Take somebody out of a team."""
    with administering(config, data) as here:
        here.teams.remove_member(name, user, here.origin)
    say(f"{user} is in the team {name} no more.")
