"""`moorage key`: the keys that sign tokens."""

from typing import Annotated

import typer

from registry.cli.common import Config, Data, Json, say, stop
from registry.cli.opening import administering
from registry.cli.output import print_json, print_rows

app = typer.Typer(help="Keys: what tokens are signed with.", no_args_is_help=True)

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

RESET = "This voids every token at once; clients have to sign in again, most do so by themselves. Go on?"


@app.command("list")
def list_keys(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """List the keys: the next one, the active one, and the retired ones that still verify."""
    from registry.cli.rows import KEYS, key_row

    with administering(config, data) as here, here.catalog.read() as tx:
        found = tx.keys.all()
    print_rows(map(key_row, found), KEYS, as_json=as_json)


@app.command()
def rotate(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Sign with the next key from now on. Nobody notices: tokens of the one before are good until they expire."""
    with administering(config, data) as here:
        ring = here.key_ring()
        ring.ensure()
        key = ring.rotate(here.origin)
    if as_json:
        print_json({"active": key})
    else:
        say(f"The key {key} signs now.")


@app.command()
def reset(yes: Yes = False, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Throw all keys away and make new ones: for a master key that is lost, or that somebody else has seen."""
    with administering(config, data) as here:
        if not yes and not typer.confirm(RESET, err=True):
            stop("nothing was changed")
        key = here.key_ring(create=True).reset(here.origin)
    if as_json:
        print_json({"active": key})
    else:
        say(f"The key {key} signs now, and every earlier token is void.")
        say("If the master key is a new one too, give it to every server and restart them.")
