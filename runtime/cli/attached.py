"""A command that is attached to a container: its streams, its window's size, the signals for it, and how it ended."""

from runtime.cli.answers import Answer, Hijacked
from runtime.cli.client import Client
from runtime.cli.options import Failure
from runtime.cli.pumping import Pump
from runtime.cli.signals import forwarded, resized
from runtime.cli.terminal import Detached


def attached(
    client: Client,
    path: str,
    stream: Hijacked,
    *,
    tty: bool,
    stdin: bool,
    detach: bytes,
    proxy: bool,
    redraw: bool = False,
) -> bool:
    """Carry a container's streams until they end; says whether the user let go before that.

    `path`: of the container or exec in the API; `detach`: the keys that let go; `proxy`: pass signals on; `redraw`: it
    runs already and is to show itself again, which shells do when the size changes.
    """
    with forwarded(client, path, proxy=proxy, resize=tty):
        if tty:
            if redraw:
                resized(client, path, larger_by=1)
            resized(client, path)
        try:
            Pump(stream, tty=tty, stdin=stdin, detach=detach).run()
        except Detached:
            return True
        finally:
            stream.close()
    return False


def wait_status(waiting: Answer) -> int:
    """The exit status that a wait ends with. Raises: Failure where the engine could not wait."""
    ended = waiting.json() or {}
    error = (ended.get("Error") or {}).get("Message")
    if error:
        raise Failure(f"Error waiting for container: {error}", 125)
    return int(ended.get("StatusCode", 0)) & 0xFF
