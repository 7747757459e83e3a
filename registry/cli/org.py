"""`moorage org`: organisations and who is in them."""

from typing import Annotated

import typer

from registry.cli.common import Config, Data, Json, say
from registry.cli.opening import administering
from registry.cli.output import print_json, print_row, print_rows

app = typer.Typer(help="Organisations: namespaces with members, teams and robots.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ORG", help="The organisation's name.")]
User = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]
Owners = Annotated[list[str] | None, typer.Option("--owner", metavar="USER", help="An owner; may be given again.")]
Role = Annotated[str, typer.Option("--role", metavar="owner|member", help="Owners may do everything in it.")]


@app.command()
def add(name: Name, owner: Owners = None, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Add an organisation."""
    from registry.cli.rows import organization_row

    with administering(config, data) as here:
        account = here.organizations.add(name, here.origin, owners=owner or ())
    if as_json:
        print_json(organization_row(account))
    else:
        say(f"Added the organisation {name}{', owned by ' + ', '.join(owner) if owner else ''}.")


@app.command("list")
def list_organizations(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """List the organisations."""
    from registry.cli.rows import organization_row

    with administering(config, data) as here:
        accounts = here.organizations.list()
    print_rows(map(organization_row, accounts), ("name", "created_at"), as_json=as_json)


@app.command()
def show(name: Name, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Show an organisation: members, teams, robots."""
    from registry.cli.rows import organization_row

    with administering(config, data) as here:
        found = here.organizations.show(name)
    members = [{"name": member.name, "role": member.role} for member in found.members]
    row = {"members": members, "teams": list(found.teams), "robots": list(found.robots)}
    print_row({**organization_row(found.account), **row}, as_json=as_json)


@app.command()
def remove(name: Name, config: Config = None, data: Data = None) -> None:
    """Remove an organisation that owns no repositories, with its teams, robots and grants."""
    with administering(config, data) as here:
        here.organizations.remove(name, here.origin)
    say(f"Removed the organisation {name}.")


@app.command("member-add")
def member_add(name: Name, user: User, role: Role = "member", config: Config = None, data: Data = None) -> None:
    """Take a user into an organisation, or give a member another role."""
    with administering(config, data) as here:
        here.organizations.set_member(name, user, role, here.origin)
    say(f"{user} is {'an owner' if role == 'owner' else 'a member'} of {name}.")


@app.command("member-remove")
def member_remove(name: Name, user: User, config: Config = None, data: Data = None) -> None:
    """Take a user out of an organisation and of all its teams."""
    with administering(config, data) as here:
        here.organizations.remove_member(name, user, here.origin)
    say(f"{user} is in {name} no more.")
