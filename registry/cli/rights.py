"""Rights as a person types them: `pull,push`, or a role such as `write`."""

from auth.policy import InvalidRights, Right, parse_rights
from registry.cli.common import USAGE, stop

HELP = "pull, push, create, delete, admin, with commas between; or read, write, maintain, admin."


def read_rights(text: str) -> Right:
    """Read rights, or exit with 2."""
    try:
        return parse_rights(text)
    except InvalidRights as error:
        stop(str(error), USAGE)
