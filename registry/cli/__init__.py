"""`moorage`: the server and its administration. One file a command group; no logic of its own.

Heavy imports happen inside the commands, so that `moorage --help` is quick.
"""

import sys

import typer

from registry import __version__
from registry.cli import (
    audit,
    config,
    db,
    explain,
    gc,
    grant,
    job,
    key,
    org,
    repo,
    robot,
    serve,
    storage,
    team,
    tls,
    token,
    user,
    worker,
)

app = typer.Typer(
    name="moorage",
    help="A private Docker Hub that one command starts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("explain")(explain.explain)
app.command("gc")(gc.gc)
for name, group in (
    ("user", user),
    ("org", org),
    ("team", team),
    ("robot", robot),
    ("token", token),
    ("repo", repo),
    ("grant", grant),
    ("key", key),
    ("audit", audit),
    ("db", db),
    ("job", job),
    ("storage", storage),
):
    app.add_typer(group.app, name=name)
app.add_typer(config.app, name="config")
app.add_typer(tls.app, name="tls")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"moorage {__version__}")
        raise typer.Exit


@app.callback()
def _options(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True)) -> None:
    """A private Docker Hub that one command starts."""


def main() -> None:
    """Run the command line."""
    sys.exit(app())
