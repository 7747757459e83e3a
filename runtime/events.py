"""What happened in the engine, for `docker events`: a bus that keeps the last events and tells who listens.

Synchronous and safe from any thread: a listener is a function that must not block (the API hands over to its loop).
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `type` is container, image, network, volume, builder or daemon; `action` as Docker calls it.

    `moment`: nanoseconds since 1970. `attributes`: labels, the image's name, an exit code; strings only.
    """

    type: str
    action: str
    actor: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    moment: int = field(default_factory=time.time_ns)

    def document(self) -> dict[str, Any]:
        """The event as the Engine API writes it (GET /events), with the fields that clients before 1.52 read."""
        shown: dict[str, Any] = {
            "Type": self.type,
            "Action": self.action,
            "Actor": {"ID": self.actor, "Attributes": dict(self.attributes)},
            "scope": "local",
            "time": self.moment // 10**9,
            "timeNano": self.moment,
        }
        if self.type in {"container", "image"}:
            shown |= {"status": self.action, "id": self.actor}
            if self.type == "container":
                shown["from"] = self.attributes.get("image", "")
        return shown


Listener = Callable[[Event], None]


class Events:
    """The bus."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._past: deque[Event] = deque(maxlen=KEPT)
        self._listeners: list[Listener] = []

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def publish(self, event: Event) -> None:
        """Keep an event and tell every listener, in order."""
        with self._lock:
            self._past.append(event)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(event)

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[list[Event]]:
        """Tell `listener` of every event until the block ends; yields the events kept before, without a gap between."""
        with self._lock:
            past = list(self._past)
            self._listeners.append(listener)
        try:
            yield past
        finally:
            with self._lock:
                self._listeners.remove(listener)
