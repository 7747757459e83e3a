"""The policy decision point: may this subject do this to that repository?

One pure function answers; `registry.edge.access` is the one place that asks it.
Until accounts exist there is a single policy, open mode, in which everyone may do everything.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Action(Enum):
    """What an endpoint does to a repository, or to the registry as a whole."""

    PING = "ping"
    PULL = "pull"
    PUSH = "push"
    DELETE_TAG = "delete_tag"
    DELETE_MANIFEST = "delete_manifest"
    DELETE_BLOB = "delete_blob"
    CATALOG = "catalog"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks: an account's name or, in open mode, the network address that the request came from."""

    name: str


class Policy(Protocol):
    """A rule book; `decide` is pure and quick, for it runs at every request."""

    def decide(self, subject: Subject, action: Action, repository: str | None) -> bool:
        """Tell whether `subject` may do `action` on `repository` (None: the registry itself)."""
        ...


class OpenPolicy:
    """Open mode (`auth.mode = "open"`): everyone may read and write everything."""

    def decide(self, subject: Subject, action: Action, repository: str | None) -> bool:
        """Grant whatever is asked."""
        return True
