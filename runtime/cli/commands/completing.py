"""`moor completion`: the lines that teach a shell to complete `moor`; the completing itself is click's."""

import click

from runtime.cli.options import Failure, command
from runtime.cli.session import Session

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_MOOR_COMPLETE"


@command("[bash|zsh|fish]", least=1, most=1)
def completion(session: Session, words: tuple[str, ...]) -> None:
    """Generate the autocompletion script for the specified shell."""
    from click.shell_completion import get_completion_class

    from runtime.cli.main import moor

    shell = get_completion_class(words[0]) if words[0] in SHELLS else None
    if shell is None:
        raise Failure(f"no completion for {words[0]}: {', '.join(SHELLS)} are known")
    click.echo(shell(moor, {}, "moor", VARIABLE).source())
