"""Which containers there are, and by what they are found: id, the beginning of an id that no other has, name.

Names are given out one by one, under the register's lock, before anything is made. Knows nothing of what containers do.
"""

import re
import secrets
import threading

from runtime.containers.model import Container
from runtime.errors import BadParameter, Conflict, NotFound

_NAME = re.compile(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_HEX = re.compile(r"[0-9a-f]{1,64}")
_MOODS = [
    "brisk",
    "calm",
    "clear",
    "deep",
    "eager",
    "early",
    "fair",
    "fleet",
    "gentle",
    "glad",
    "hale",
    "keen",
    "kind",
    "level",
    "light",
    "lively",
    "mild",
    "neat",
    "patient",
    "plain",
    "proud",
    "quick",
    "quiet",
    "ready",
    "sound",
    "steady",
    "sturdy",
    "swift",
    "tidy",
    "true",
    "trusty",
    "vivid",
    "warm",
    "wide",
]
_VESSELS = [
    "barge",
    "barque",
    "brig",
    "caravel",
    "carrack",
    "clipper",
    "coaster",
    "cog",
    "corvette",
    "cutter",
    "dhow",
    "dinghy",
    "dory",
    "ferry",
    "frigate",
    "galley",
    "gig",
    "hulk",
    "junk",
    "keel",
    "ketch",
    "launch",
    "lighter",
    "lugger",
    "packet",
    "pilot",
    "pinnace",
    "punt",
    "sampan",
    "schooner",
    "skiff",
    "sloop",
    "tender",
    "trawler",
    "tug",
    "wherry",
    "xebec",
    "yacht",
    "yawl",
]
_TRIES = 50


class Register:
    """All containers, by id and by name. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[str, Container] = {}
        self._names: dict[str, str] = {}

    def all(self) -> tuple[Container, ...]:
        """Every container, the newest first."""
        with self._lock:
            return tuple(sorted(self._by_id.values(), key=lambda each: each.created, reverse=True))

    def get(self, reference: str) -> Container:
        """Find one. Raises: NotFound "No such container: X"; BadParameter where a beginning of an id is several's."""
        with self._lock:
            found = self._by_id.get(reference) or self._by_id.get(self._names.get(reference.removeprefix("/"), ""))
            if found is not None:
                return found
            begun = [] if _HEX.fullmatch(reference) is None else [i for i in self._by_id if i.startswith(reference)]
            if len(begun) == 1:
                return self._by_id[begun[0]]
        if begun:
            raise BadParameter(f"multiple IDs found with provided prefix: {reference}")
        raise NotFound(f"No such container: {reference}")

    def reserve(self, name: str | None, container_id: str) -> str:
        """Take a name for a container, a made-up one where none is given. Raises: BadParameter, Conflict."""
        with self._lock:
            if name is None:
                name = self._made_up(container_id)
            if _NAME.fullmatch(name) is None:
                raise BadParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
            name = name.removeprefix("/")
            holder = self._names.get(name)
            if holder is not None:
                raise Conflict(
                    f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
                    "You have to remove (or rename) that container to be able to reuse that name."
                )
            self._names[name] = container_id
            return name

    def free(self, name: str) -> None:
        """Give a name back."""
        with self._lock:
            self._names.pop(name, None)

    def add(self, container: Container) -> None:
        """Let a container be found; its name is reserved already."""
        with self._lock:
            self._by_id[container.id] = container

    def remove(self, container: Container) -> None:
        """Forget a container and its name."""
        with self._lock:
            self._by_id.pop(container.id, None)
            if self._names.get(container.name) == container.id:
                del self._names[container.name]

    def _made_up(self, container_id: str) -> str:
        for _ in range(_TRIES):
            name = f"{secrets.choice(_MOODS)}_{secrets.choice(_VESSELS)}"
            if name not in self._names:
                return name
        return f"{secrets.choice(_MOODS)}_{secrets.choice(_VESSELS)}_{container_id[:8]}"
