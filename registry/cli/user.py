"""`moorage user`: people, their passwords, and who administers the registry."""

from pathlib import Path
from typing import Annotated

import typer

from registry.cli.common import Config, Data, Json, say, stop
from registry.cli.opening import administering
from registry.cli.output import cell, print_json, print_row, print_rows
from registry.cli.passwords import Generate, PasswordStdin, read_password

app = typer.Typer(help="Users: people who sign in.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]
Adopt = Annotated[
    bool, typer.Option("--adopt", help="Also where repositories below that name exist; they become the user's own.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print a generated password and nothing else.")]
OUTCOMES = ("line", "name", "result", "reason")


@app.command()
def add(
    name: Name,
    password_stdin: PasswordStdin = False,
    generate: Generate = False,
    administrator: Annotated[bool, typer.Option("--administrator", help="May do everything.")] = False,
    adopt: Adopt = False,
    quiet: Quiet = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add a user; the password is asked for, unless an option says where it comes from."""
    from registry.cli.rows import user_row

    with administering(config, data) as here:
        password = read_password(password_stdin=password_stdin, generate=generate)
        account = here.people.add(name, password, here.origin, administrator=administrator, adopt=adopt)
    if as_json:
        print_json({**user_row(account), "password": password} if generate else user_row(account))
        return
    if not quiet:
        say(f"Added the user {name}{', an administrator' if administrator else ''}.")
    if generate:
        _print_password(password, quiet=quiet)


@app.command("list")
def list_users(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """List the users."""
    from registry.cli.rows import USERS, user_row

    with administering(config, data) as here:
        accounts = here.people.list()
    print_rows(map(user_row, accounts), USERS, as_json=as_json)


@app.command()
def show(name: Name, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Show a user: organisations, teams, grants and tokens."""
    from registry.cli.rows import grant_row, token_row, user_row

    with administering(config, data) as here:
        person = here.people.show(name)
        grants = [line for line in here.grants.list(name) if line.subject == name]
        tokens = here.secrets.list(name)
    memberships = [{"organization": each.organization, "role": each.role} for each in person.organizations]
    grants_shown = [grant_row(line) for line in grants]
    live = [token_row(token) for token in tokens if token.state == "live"]
    row = {**user_row(person.account), "organizations": memberships, "teams": list(person.teams)}
    if as_json:
        print_json({**row, "grants": grants_shown, "tokens": live})
        return
    grants_told = [f"{cell(line['rights'])} on {line['target']}" for line in grants_shown]
    tokens_told = [f"{token['id']} {token['label']}".strip() for token in live]
    print_row({**row, "grants": grants_told, "tokens": tokens_told}, as_json=False)


@app.command()
def password(
    name: Name,
    password_stdin: PasswordStdin = False,
    generate: Generate = False,
    quiet: Quiet = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change a password. It ends every `docker login` made with the old one; access tokens stay good."""
    with administering(config, data) as here:
        here.people.show(name)
        word = read_password(password_stdin=password_stdin, generate=generate)
        ended = here.people.set_password(name, word, here.origin)
    if as_json:
        print_json({"name": name, "logins_ended": ended, **({"password": word} if generate else {})})
        return
    if not quiet:
        say(f"Changed the password of {name}; {ended} docker logins ended.")
    if generate:
        _print_password(word, quiet=quiet)


@app.command()
def disable(name: Name, config: Config = None, data: Data = None) -> None:
    """Shut a user out, with all their tokens; what they own stays."""
    with administering(config, data) as here:
        here.people.disable(name, here.origin)
    say(f"{name} is shut out; tokens that were given out already are good for auth.token_lifetime at most.")


@app.command()
def enable(name: Name, config: Config = None, data: Data = None) -> None:
    """Let a disabled user in again."""
    with administering(config, data) as here:
        here.people.enable(name, here.origin)
    say(f"{name} may sign in.")


@app.command()
def promote(name: Name, config: Config = None, data: Data = None) -> None:
    """Make a user an administrator, who may do everything."""
    with administering(config, data) as here:
        here.people.promote(name, here.origin)
    say(f"{name} is an administrator.")


@app.command()
def demote(name: Name, config: Config = None, data: Data = None) -> None:
    """Make an administrator a user like others."""
    with administering(config, data) as here:
        here.people.demote(name, here.origin)
    say(f"{name} is no administrator any more.")


@app.command()
def remove(name: Name, config: Config = None, data: Data = None) -> None:
    """Remove a user who owns no repositories, with their tokens, grants and memberships."""
    with administering(config, data) as here:
        here.people.remove(name, here.origin)
    say(f"Removed the user {name}.")


@app.command("import")
def import_users(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An htpasswd file, with bcrypt hashes (htpasswd -B).")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")] = False,
    adopt: Adopt = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add the users of an htpasswd file with the passwords that they have; existing users are left alone."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        stop(f"{file} cannot be read: {error.strerror}")
    with administering(config, data) as here:
        if dry_run:
            outcomes = here.htpasswd.preview(text, adopt=adopt)
        else:
            outcomes = here.htpasswd.take(text, here.origin, adopt=adopt)
    rows = [{name: getattr(outcome, name) for name in OUTCOMES} for outcome in outcomes]
    print_rows(rows, OUTCOMES, as_json=as_json)
    added = sum(outcome.result == "added" for outcome in outcomes)
    say(f"{'Would add' if dry_run else 'Added'} {added} of {len(outcomes)} users.")


def _print_password(password: str, *, quiet: bool) -> None:
    if not quiet:
        say("The password, which is shown only now:")
    print(password)
