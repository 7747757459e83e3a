"""Who sent a request, and what they may do with it: the outcome of every way of signing in, in one form.

A caller's access is what a token grants, or what policy grants to somebody who signed in with Basic for the
repositories that the request names. In open mode everybody may do everything, and is called by their address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from starlette.types import Scope

from auth.policy import Action
from registry.audit import Origin
from registry.edge.logs import visible

ACTION_NAMES: Mapping[Action, str] = MappingProxyType(
    {
        Action.PULL: "pull",
        Action.PUSH: "push",
        Action.DELETE_TAG: "delete",
        Action.DELETE_MANIFEST: "delete",
        Action.DELETE_BLOB: "delete",
    }
)
"""What a scope calls the actions on a repository."""

LIST, SEARCH = "*", "search"


class Means(Enum):
    """How a caller showed who they are."""

    NOTHING = "nothing"
    BASIC = "basic"
    BEARER = "bearer"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `access`: repository -> of pull, push, delete; `registry`: of `*` and search; times in seconds."""

    name: str
    kind: str
    means: Means
    credential: str | None = None
    access: Mapping[str, frozenset[str]] = field(default_factory=dict)
    registry: frozenset[str] = frozenset()
    expires_at: float = float("inf")

    def may(self, action: Action, repository: str | None) -> bool:
        """Tell whether the request's credentials cover an action. Closed: what nobody listed here, nobody may."""
        if self.means is Means.OPEN or action is Action.ANYONE:
            return True
        if action is Action.PING:
            return self.means is not Means.NOTHING
        if action is Action.CATALOG:
            return LIST in self.registry
        if action is Action.SEARCH:
            return SEARCH in self.registry or LIST in self.registry
        if repository is None or action not in ACTION_NAMES:
            return False
        return ACTION_NAMES[action] in self.access.get(repository, ())


NOBODY = Caller("", "anonymous", Means.NOTHING)


def address_of(scope: Scope) -> str:
    """Give the network address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else "local"


def origin_of(scope: Scope, caller: Caller = NOBODY) -> Origin:
    """Say for the audit trail who acts, and from where; nothing that a client wrote gets there unescaped."""
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    return Origin(
        actor=caller.name,
        kind=caller.kind,
        credential=caller.credential,
        address=address_of(scope),
        agent=visible(agent[:256].decode("ascii", "backslashreplace")),
        request_id=scope.get("state", {}).get("request_id", ""),
    )
