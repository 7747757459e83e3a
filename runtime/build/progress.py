"""What a build says while it goes on, line by line as Docker's classic builder does."""

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.build.running import Audience
from storage.digest import Digest


class Progress:
    """The audience, with the number of steps. `quiet`: nothing is said but the image's id at the end."""

    def __init__(self, audience: Audience, *, quiet: bool) -> None:
        self._audience = audience
        self._quiet = quiet
        self._step = 0
        self.total = 0

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Hand a line on."""
        if not self._quiet:
            self._audience(line)

    def check(self) -> None:
        """Raise where nobody listens any more."""
        self._audience.check()

    def say(self, text: str) -> None:
        """Say something."""
        self.check()
        self({"stream": text})

    def step(self, text: str) -> None:
        """Begin with a step."""
        self._step += 1
        self.say(f"Step {self._step}/{self.total} : {text.strip()}\n")

    def state(self, identity: str) -> None:
        """Tell what a step has made."""
        self.say(f" ---> {short(identity)}\n")

    def done(self, identity: str, names: Sequence[str]) -> None:
        """Tell of the whole image."""
        if self._quiet:
            self._audience({"stream": f"{identity}\n"})
            return
        self({"aux": {"ID": identity}})
        self.say(f"Successfully built {short(identity)}\n")
        for name in names:
            self.say(f"Successfully tagged {name}\n")


def short(identity: str) -> str:
    """Write an id as Docker's lines do."""
    return Digest.parse(identity).encoded[:12]
