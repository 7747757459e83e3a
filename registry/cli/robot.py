"""`moorage robot`: accounts of machines; their secrets are made by `moorage token`."""

from typing import Annotated

import typer

from registry.cli.common import Config, Data, Json, say
from registry.cli.opening import administering
from registry.cli.output import print_json, print_rows

app = typer.Typer(help="Robots: machines that pull and push, such as acme+ci.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ORG+ROBOT", help="The robot, such as acme+ci.")]
Organization = Annotated[str | None, typer.Argument(metavar="[ORG]", help="Only this organisation's.")]


@app.command()
def add(name: Name, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Add a robot."""
    from registry.cli.rows import robot_row

    with administering(config, data) as here:
        account = here.robots.add(name, here.origin)
    if as_json:
        print_json(robot_row(account))
    else:
        say(f"Added the robot {name}; next: moorage grant add {name} RIGHTS TARGET, moorage token create {name}")


@app.command("list")
def list_robots(org: Organization = None, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """List the robots."""
    from registry.cli.rows import ROBOTS, robot_row

    with administering(config, data) as here:
        accounts = here.robots.list(org)
    print_rows(map(robot_row, accounts), ROBOTS, as_json=as_json)


@app.command()
def disable(name: Name, config: Config = None, data: Data = None) -> None:
    """Shut a robot out."""
    with administering(config, data) as here:
        here.robots.disable(name, here.origin)
    say(f"{name} is shut out; tokens that were given out already are good for auth.token_lifetime at most.")


@app.command()
def enable(name: Name, config: Config = None, data: Data = None) -> None:
    """Let a disabled robot in again."""
    with administering(config, data) as here:
        here.robots.enable(name, here.origin)
    say(f"{name} may sign in.")


@app.command()
def remove(name: Name, config: Config = None, data: Data = None) -> None:
    """Remove a robot with its secrets and grants."""
    with administering(config, data) as here:
        here.robots.remove(name, here.origin)
    say(f"Removed the robot {name}.")
