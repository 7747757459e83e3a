"""`moor exec`. Source: docker/cli cli/command/container/exec.go; POST /containers/C/exec, /exec/E/start."""

from typing import Any

import click

from runtime.cli.attached import attached
from runtime.cli.client import segment
from runtime.cli.commands.running import configured_keys
from runtime.cli.creation import values
from runtime.cli.creation.options import Option, options
from runtime.cli.options import command, flag
from runtime.cli.session import Session
from runtime.cli.terminal import check_tty, keys, size

_ENVIRONMENT = (
    Option(("-e", "--env"), "Set environment variables", values.variable, many=True),
    Option(("--env-file",), "Read in a file of environment variables", str, many=True),
)


@command("[OPTIONS] CONTAINER COMMAND [ARG...]", least=2, options_first=True, of="container")
@flag("-d", "--detach", help="Detached mode: run command in the background")
@click.option("--detach-keys", default="", help="Override the key sequence for detaching a container")
@options(*_ENVIRONMENT)
@flag("-i", "--interactive", help="Keep STDIN open even if not attached")
@flag("--privileged", help="Give extended privileges to the command")
@flag("-t", "--tty", help="Allocate a pseudo-TTY")
@click.option("-u", "--user", default="", help='Username or UID (format: "<name|uid>[:<group|gid>]")')
@click.option("-w", "--workdir", default="", help="Working directory inside the container")
def exec_(session: Session, words: tuple[str, ...], **given: Any) -> int:
    """Execute a command in a running container."""
    client = session.client
    detach = keys(given["detach_keys"] or configured_keys(session))
    foreground = not given["detach"]
    stdin, tty = given["interactive"] and foreground, given["tty"]
    name = segment(words[0])
    client.json(f"/containers/{name}/json")  # an unknown container is told before a missing terminal
    if foreground:
        check_tty(stdin=stdin, tty=tty)
    body = {
        "User": given["user"],
        "Privileged": given["privileged"],
        "Tty": tty,
        "AttachStdin": stdin,
        "AttachStdout": foreground,
        "AttachStderr": foreground,
        "DetachKeys": given["detach_keys"],
        "Env": values.variables(given["env_file"], given["env"]),
        "WorkingDir": given["workdir"],
        "Cmd": list(words[1:]),
    }
    console = size()
    where = {"ConsoleSize": list(console)} if console and tty and foreground else {}
    identifier = client.do("POST", f"/containers/{name}/exec", body=body | where)["Id"]
    path = f"/exec/{identifier}"
    start = {"Detach": not foreground, "Tty": tty, **where}
    if not foreground:
        client.do("POST", f"{path}/start", body=start)
        return 0
    stream = client.hijack(f"{path}/start", body=start)
    if attached(client, path, stream, tty=tty, stdin=stdin, detach=detach, proxy=False):
        return 0
    return int(client.json(f"{path}/json").get("ExitCode") or 0) & 0xFF
