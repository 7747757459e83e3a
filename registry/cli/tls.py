"""`moorage tls`: certificates for a first try."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make certificates.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Make certificates."""


@app.command("self-signed")
def self_signed(
    names: Annotated[list[str], typer.Argument(help="Host names and addresses that clients will use.")],
    directory: Annotated[Path, typer.Option("--out", help="Where to write moorage.crt and moorage.key.")] = Path(),
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How long it is valid.")] = 365,
) -> None:
    """Make a certificate that clients have to be told to trust."""
    from registry.serving.tls import make_self_signed

    certificate, key = make_self_signed(directory, names, days)
    print(f"certificate: {certificate}\nprivate key: {key}")
    print(f"start with:  moorage serve --tls-cert {certificate} --tls-key {key} …")
    print(f"trust it in docker: copy {certificate} to /etc/docker/certs.d/{names[0]}:5000/ca.crt")
