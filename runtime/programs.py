"""The programs that the engine runs: where they are, what installs them, and one way to run them to their end.

Always an argument list, never a shell; always with a time limit; what a program said goes into the error.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from runtime.errors import EngineError, Unavailable

PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "runc": "runc",
        "crun": "crun",
        "conmon": "conmon",
        "nft": "nftables",
        "ip": "iproute2",
        "unshare": "util-linux",
        "nsenter": "util-linux",
        "mount": "mount",
        "umount": "mount",
        "ps": "procps",
        "newuidmap": "uidmap",
        "slirp4netns": "slirp4netns",
    }
)
"""Each program, and Debian's package of it."""

_ALSO = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # an ordinary user's PATH lacks them
_SAID = 2000


class ProgramFailed(EngineError):
    """A program ended with another status than 0, or not in time; `said` is what it wrote to its standard error."""

    def __init__(self, command: Sequence[str], said: str) -> None:
        super().__init__(f"{os.path.basename(command[0])} failed: {said.strip()[-_SAID:] or 'it said nothing'}")  # noqa: PTH119
        self.said = said


def find(name: str) -> str:
    """Return a program's path. Raises Unavailable with the line that installs it."""
    path = shutil.which(name) or shutil.which(name, path=os.pathsep.join(_ALSO))
    if path is None:
        raise Unavailable(f"{name} not found; install it with: apt-get install {PACKAGES.get(name, name)}")
    return path


def run(*command: str, stdin: str = "", timeout: float = 30.0) -> str:
    """Run a program to its end and return what it wrote to its standard output. Raises: ProgramFailed, Unavailable."""
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProgramFailed(command, f"no end after {timeout:.0f} s") from None
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is gone") from None
    if done.returncode != 0:
        raise ProgramFailed(command, done.stderr)
    return done.stdout
