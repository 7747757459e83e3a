"""Commands that look at one container: logs, port, top. Source: docker/cli cli/command/container/{logs,port,top}.go."""

import sys

import click

from runtime.cli.client import segment
from runtime.cli.moments import moment
from runtime.cli.options import Failure, command, flag
from runtime.cli.pumping import demultiplex, write_all
from runtime.cli.session import Session
from runtime.cli.tables import aligned


@command("[OPTIONS] CONTAINER", least=1, most=1, of="container")
@flag("--details", help="Show extra details provided to logs")
@flag("-f", "--follow", help="Follow log output")
@click.option(
    "--since", default="", help='Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")'
)
@click.option("-n", "--tail", default="all", help="Number of lines to show from the end of the logs")
@flag("-t", "--timestamps", help="Show timestamps")
@click.option("--until", default="", help="Show logs before a timestamp or relative time")
def logs(
    session: Session,
    words: tuple[str, ...],
    details: bool,
    follow: bool,
    since: str,
    tail: str,
    timestamps: bool,
    until: str,
) -> None:
    """Fetch the logs of a container."""
    found = session.client.json(f"/containers/{segment(words[0])}/json")
    query = {
        "stdout": 1,
        "stderr": 1,
        "follow": follow or None,
        "timestamps": timestamps or None,
        "details": details or None,
        "since": moment(since) or None,
        "until": moment(until) or None,
        "tail": tail,
    }
    answer = session.client.ask("GET", f"/containers/{found['Id']}/logs", query)
    if found["Config"]["Tty"]:
        for block in answer.blocks():
            write_all(sys.stdout.fileno(), block)
    else:
        demultiplex(answer.framed())


@command("CONTAINER [PRIVATE_PORT[/PROTO]]", least=1, most=2, of="container")
def port(session: Session, words: tuple[str, ...]) -> None:
    """List port mappings or a specific mapping for the container."""
    found = session.client.json(f"/containers/{segment(words[0])}/json")
    ports = found["NetworkSettings"].get("Ports") or {}
    if len(words) == 1:
        lines = [f"{name} -> {_place(place)}" for name in ports for place in ports[name] or ()]
        click.echo("".join(f"{line}\n" for line in sorted(lines)), nl=False)
        return
    number, _, protocol = words[1].partition("/")
    wanted = f"{number}/{protocol or 'tcp'}"
    if not ports.get(wanted):
        raise Failure(f"Error: No public port '{words[1]}' published for {words[0]}")
    for place in ports[wanted]:
        click.echo(_place(place))


def _place(place: dict[str, str]) -> str:
    address = place["HostIp"]
    return f"[{address}]:{place['HostPort']}" if ":" in address else f"{address}:{place['HostPort']}"


@command("CONTAINER [ps OPTIONS]", least=1, options_first=True, of="container")
def top(session: Session, words: tuple[str, ...]) -> None:
    """Display the running processes of a container."""
    arguments = " ".join(words[1:])
    found = session.client.json(f"/containers/{segment(words[0])}/top", {"ps_args": arguments or None})
    for line in aligned([found["Titles"], *found["Processes"]], width=20, padding=3):
        click.echo(line)
