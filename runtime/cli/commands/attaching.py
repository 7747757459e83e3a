"""`moor attach` and `moor start`. Source: docker/cli cli/command/container/{attach,start}.go."""

import click

from runtime.cli.attached import attached, wait_status
from runtime.cli.client import Refused, segment
from runtime.cli.commands.running import configured_keys
from runtime.cli.options import Failure, command, flag
from runtime.cli.session import Session
from runtime.cli.terminal import check_tty, keys

_KEYS = click.option("--detach-keys", default="", help="Override the key sequence for detaching a container")


@command("[OPTIONS] CONTAINER", least=1, most=1, of="container")
@_KEYS
@flag("--no-stdin", help="Do not attach STDIN")
@flag("--sig-proxy", default=True, help="Proxy all received signals to the process")
def attach(session: Session, words: tuple[str, ...], detach_keys: str, no_stdin: bool, sig_proxy: bool) -> int:
    """Attach local standard input, output, and error streams to a running container."""
    found = session.client.json(f"/containers/{segment(words[0])}/json")
    state = found["State"]
    if not state["Running"]:
        raise Failure("You cannot attach to a stopped container, start it first")
    for name in ("Paused", "Restarting"):
        if state.get(name):
            raise Failure(f"You cannot attach to a {name.lower()} container, {_FIRST[name]}")
    return _join(session, found, detach_keys, stdin=not no_stdin, proxy=sig_proxy, starting=False)


_FIRST = {"Paused": "unpause it first", "Restarting": "wait until it is running"}


@command("[OPTIONS] CONTAINER [CONTAINER...]", least=1, of="container")
@flag("-a", "--attach", help="Attach STDOUT/STDERR and forward signals")
@_KEYS
@flag("-i", "--interactive", help="Attach container's STDIN")
def start(session: Session, words: tuple[str, ...], attach: bool, detach_keys: str, interactive: bool) -> int:
    """Start one or more stopped containers."""
    if attach or interactive:
        if len(words) > 1:
            raise Failure("you cannot start and attach multiple containers at once")
        found = session.client.json(f"/containers/{segment(words[0])}/json")
        return _join(session, found, detach_keys, stdin=interactive, proxy=attach, starting=True)
    failures = []
    for word in words:
        try:
            session.client.do("POST", f"/containers/{segment(word)}/start")
            click.echo(word)
        except Refused as error:
            failures.append((word, error))
    if failures:
        lines = [f"Error response from daemon: {error}" for _, error in failures]
        raise Failure(
            "\n".join([*lines, f"Error: failed to start containers: {', '.join(word for word, _ in failures)}"])
        )
    return 0


def _join(
    session: Session, found: dict[str, object], detach_keys: str, *, stdin: bool, proxy: bool, starting: bool
) -> int:
    """Attach to an inspected container, start it where asked to, and end with its exit status."""
    config = dict(found["Config"])  # type: ignore[call-overload]  # an object of the inspected document
    tty, stdin = bool(config["Tty"]), stdin and bool(config["OpenStdin"])
    check_tty(stdin=stdin, tty=tty)
    detach = keys(detach_keys or configured_keys(session))
    path = f"/containers/{found['Id']}"
    stream = session.client.hijack(f"{path}/attach", {"stream": 1, "stdin": stdin or None, "stdout": 1, "stderr": 1})
    removed = starting and bool(dict(found["HostConfig"]).get("AutoRemove"))  # type: ignore[call-overload]
    condition = "removed" if removed else "next-exit" if starting else "not-running"
    waiting = session.client.ask("POST", f"{path}/wait", {"condition": condition})
    if starting:
        try:
            session.client.do("POST", f"{path}/start")
        except Refused:
            stream.close()
            raise
    left = attached(
        session.client,
        path,
        stream,
        tty=tty,
        stdin=stdin,
        detach=detach,
        proxy=proxy and not (tty and not starting),
        redraw=not starting,
    )
    return 0 if left else wait_status(waiting)
