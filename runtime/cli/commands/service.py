"""`moor daemon` and `moor doctor`: the engine itself, and what it lacks on this machine."""

import click

from runtime.cli.options import command
from runtime.cli.session import Session


@command(most=0)
def daemon(session: Session) -> int:
    """Run the engine in the foreground, as systemd does."""
    from runtime.daemon import main  # everything that the command line must not pay for

    return main() or 0


@command(most=0)
def doctor(session: Session) -> int:
    """Say what the engine lacks on this machine, and the line that installs it."""
    from runtime.doctor import findings

    worst = 0
    for finding in findings():
        click.echo(str(finding))
        worst = max(worst, int(finding.serious))
    return worst
