"""`moorage token`: personal access tokens and robots' secrets, made, listed, revoked."""

from typing import Annotated

import typer

from registry.cli.common import Config, Data, Json, say
from registry.cli.opening import administering
from registry.cli.output import print_json, print_rows

app = typer.Typer(help="Tokens: secrets of users and robots, for `docker login`.", no_args_is_help=True)

Owner = Annotated[str, typer.Argument(metavar="USER|ORG+ROBOT", help="Whose it is to be.")]
Label = Annotated[str, typer.Option("--label", help="What it is for, to recognise it in the list.")]
Limit = Annotated[
    str, typer.Option("--rights", metavar="RIGHTS", help="What it is narrowed to: pull,push or read, write, … .")
]
Patterns = Annotated[
    list[str] | None,
    typer.Option("--repository", metavar="NAME", help="Only team/app, or team/* for all below; may be given again."),
]
Expires = Annotated[str, typer.Option("--expires", metavar="TIME", help="Such as 30d or 12h; never: for users only.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the secret and nothing else.")]


@app.command()
def create(
    owner: Owner,
    label: Label = "",
    rights: Limit = "admin",
    repository: Patterns = None,
    expires: Expires = "90d",
    quiet: Quiet = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a token; it is printed once and kept nowhere. It never has more rights than its owner."""
    from registry.accounts.secrets import Owned
    from registry.cli.rights import read_rights
    from registry.cli.rows import token_row
    from registry.cli.times import NEVER, read_duration

    allowed = read_rights(rights)
    lifetime = None if expires == NEVER else read_duration(expires, "--expires")
    with administering(config, data) as here:
        issued = here.secrets.issue(
            owner, here.origin, label=label, rights=allowed, repositories=repository or (), lifetime=lifetime
        )
    row = token_row(Owned(issued.credential, issued.owner, "live"))
    if as_json:
        print_json({**row, "secret": issued.secret})
        return
    if not quiet:
        say(f"Made the token {row['id']} of {owner}, good until {row['expires_at'] or 'it is revoked'}.")
        say(f"Use it as the password: docker login -u {owner} --password-stdin HOST. It is shown only now:")
    print(issued.secret)


@app.command("list")
def list_tokens(
    owner: Annotated[str | None, typer.Argument(metavar="[USER|ORG+ROBOT]", help="Only whose they are.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also docker logins, and what was revoked.")] = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the tokens, with when and from where each was last used."""
    from registry.cli.rows import TOKENS, token_row

    with administering(config, data) as here:
        found = here.secrets.list(owner)
    rows = [token_row(each) for each in found]
    shown = [row for row in rows if everything or (row["kind"] != "login" and row["state"] != "revoked")]
    print_rows(shown, TOKENS, as_json=as_json)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Its id; or the secret itself, if it has leaked.")],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Revoke a token or a docker login."""
    from registry.cli.rows import token_row

    with administering(config, data) as here:
        revoked = here.secrets.revoke(token, here.origin)
    if as_json:
        print_json(token_row(revoked))
    else:
        say(f"Revoked the token {revoked.credential.id} of {revoked.owner}.")
