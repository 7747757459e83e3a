"""The policy decision point: may this holder do this to that repository, and why?

`decide` is pure and quick; `registry.edge.access` and the token endpoint ask it, `explain` shows its reasons. Who the
holder is, what was granted and what a repository's visibility is are loaded by others; names are opaque strings here.
In open mode nobody asks: everyone may do everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag
from types import MappingProxyType


class Right(Flag):
    """What may be granted on a repository or on a namespace. ADMIN implies all others."""

    PULL = 1
    PUSH = 2
    CREATE = 4
    DELETE = 8
    ADMIN = 16


NONE = Right(0)
ALL = Right.PULL | Right.PUSH | Right.CREATE | Right.DELETE | Right.ADMIN
ROLES: Mapping[str, Right] = MappingProxyType(
    {
        "read": Right.PULL,
        "write": Right.PULL | Right.PUSH | Right.CREATE,
        "maintain": Right.PULL | Right.PUSH | Right.CREATE | Right.DELETE,
        "admin": ALL,
    }
)
"""Rights that usually go together, by the name that an operator types."""

_WORDS: Mapping[str, Right] = MappingProxyType(
    {right.name.lower(): right for right in Right if right.name} | dict(ROLES)
)


class InvalidRights(ValueError):
    """The text names no rights; the message says which there are."""


def parse_rights(text: str) -> Right:
    """Read rights and roles as an operator writes them: "pull,push", "write", "read,delete".

    Raises: InvalidRights if a word is neither, or if there is none.
    """
    rights = NONE
    for word in text.split(","):
        right = _WORDS.get(word.strip())
        if right is None:
            raise InvalidRights(f"rights are one or more of {', '.join(_WORDS)}, with commas between")
        rights |= right
    return rights


def rights_text(rights: Right) -> str:
    """Write rights so that `parse_rights` reads them, in a fixed order; "nothing" where there are none."""
    return ",".join(right.name.lower() for right in Right if right in rights and right.name) or "nothing"


class Action(Enum):
    """What an endpoint does to a repository, or to the registry as a whole."""

    ANYONE = "anyone"
    PING = "ping"
    PULL = "pull"
    PUSH = "push"
    DELETE_TAG = "delete_tag"
    DELETE_MANIFEST = "delete_manifest"
    DELETE_BLOB = "delete_blob"
    DELETE_REPOSITORY = "delete_repository"
    CATALOG = "catalog"
    SEARCH = "search"


NEEDS: Mapping[Action, Right] = MappingProxyType(
    {
        Action.PULL: Right.PULL,
        Action.PUSH: Right.PUSH,
        Action.DELETE_TAG: Right.DELETE,
        Action.DELETE_MANIFEST: Right.DELETE,
        Action.DELETE_BLOB: Right.DELETE,
        Action.DELETE_REPOSITORY: Right.ADMIN,
    }
)
"""The right that an action needs on its repository; the other actions are about no single repository."""


class Visibility(Enum):
    """Who may pull from a repository without a grant: everybody, every user, nobody."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PRIVATE = "private"


class Kind(Enum):
    """What sort of holder asks."""

    ANONYMOUS = "anonymous"
    USER = "user"
    ROBOT = "robot"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a credential narrows its owner's rights to.

    A pattern is a repository's name, or "team/*" for all that begins with "team/"; None is everywhere.
    """

    rights: Right = ALL
    repositories: tuple[str, ...] | None = None

    def allow(self, right: Right, repository: str) -> bool:
        """Tell whether the credential lets `right` on `repository` through."""
        return right in _implied(self.rights) and self.reaches(repository)

    def reaches(self, repository: str) -> bool:
        """Tell whether a pattern matches `repository`."""
        return self.repositories is None or any(_matches(pattern, repository) for pattern in self.repositories)


def _nothing() -> Mapping[str, Right]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks, with everything that was granted: to the account, through its teams, and as an owner."""

    name: str
    kind: Kind
    administrator: bool = False
    namespaces: Mapping[str, Right] = field(default_factory=_nothing)
    repositories: Mapping[str, Right] = field(default_factory=_nothing)
    limits: Limits = Limits()


ANONYMOUS = Holder("", Kind.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Place:
    """A repository's name, and its visibility; None where there is no such repository."""

    name: str
    visibility: Visibility | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and the reason in words that are for administrators only: they tell what exists."""

    allowed: bool
    because: str

    def __bool__(self) -> bool:
        return self.allowed


def namespace_of(repository: str) -> str:
    """Return what is before the first slash: the account that owns the repository; "" if there is no slash."""
    namespace, slash, _ = repository.partition("/")
    return namespace if slash else ""


def decide(holder: Holder, right: Right, place: Place) -> Decision:
    """Tell whether `holder` has `right` on `place`, and why. To push where nothing is needs CREATE as well."""
    if right == Right.PULL and place.visibility is Visibility.PUBLIC:
        return Decision(True, "the repository is public")  # whatever the limits: a credential is never worse than none
    created = right | Right.CREATE if Right.PUSH in right else right  # either way, for its time would tell what exists
    needed = created if place.visibility is None else right
    if not holder.limits.allow(needed, place.name):
        return Decision(False, _limit(holder.limits, needed))
    if holder.administrator:
        return Decision(True, f"{holder.name} is an administrator")
    if right == Right.PULL and place.visibility is Visibility.INTERNAL and holder.kind is Kind.USER:
        return Decision(True, "the repository is internal, which every user may pull from")
    return _granted(holder, needed, place)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a holder may pull, in a form that a list of repositories can be asked by.

    A repository is reached if it is public, or if the limits' patterns match it and one of the others holds.
    """

    everything: bool
    public: bool
    internal: bool
    namespaces: frozenset[str]
    repositories: frozenset[str]
    limits: Limits

    @classmethod
    def of_everything(cls) -> "Reach":
        """Give the reach of an administrator, and of everybody in open mode."""
        return cls(True, True, True, frozenset(), frozenset(), Limits())

    def covers(self, place: Place) -> bool:
        """Tell what `decide` tells about PULL."""
        if self.public and place.visibility is Visibility.PUBLIC:
            return True
        return self.limits.allow(Right.PULL, place.name) and (
            self.everything
            or (self.internal and place.visibility is Visibility.INTERNAL)
            or namespace_of(place.name) in self.namespaces
            or place.name in self.repositories
        )


def reach(holder: Holder) -> Reach:
    """Tell what `holder` may pull. With a credential that may not pull, that is what is public and nothing else."""
    if Right.PULL not in _implied(holder.limits.rights):
        return Reach(False, True, False, frozenset(), frozenset(), holder.limits)
    return Reach(
        everything=holder.administrator,
        public=True,
        internal=holder.kind is Kind.USER,
        namespaces=_pullable(holder.namespaces) - {""},
        repositories=_pullable(holder.repositories),
        limits=holder.limits,
    )


def _implied(rights: Right) -> Right:
    return ALL if Right.ADMIN in rights else rights


def _matches(pattern: str, repository: str) -> bool:
    return repository.startswith(pattern[:-1]) if pattern.endswith("/*") else repository == pattern


def _pullable(grants: Mapping[str, Right]) -> frozenset[str]:
    return frozenset(name for name, rights in grants.items() if Right.PULL in _implied(rights))


def _limit(limits: Limits, needed: Right) -> str:
    if needed not in _implied(limits.rights):
        return f"the token is limited to {rights_text(limits.rights)}"
    return f"the token is limited to {', '.join(limits.repositories or ()) or 'no repository'}"


def _granted(holder: Holder, needed: Right, place: Place) -> Decision:
    namespace, who, what = namespace_of(place.name), holder.name or "anonymous", rights_text(needed)
    # Nobody owns the names without a slash, so no grant on a namespace is one on them.
    on_namespace = _implied(holder.namespaces.get(namespace, NONE)) if namespace else NONE
    on_repository = _implied(holder.repositories.get(place.name, NONE))
    if not needed or needed not in on_namespace | on_repository:
        return Decision(False, f"nothing gives {who} {what} on {place.name}")
    if needed in on_namespace:
        own = f"{namespace} is {who}'s own" if namespace == holder.name else f"{who} has {what} on all of {namespace}"
        return Decision(True, own)
    where = place.name if needed in on_repository else f"{place.name} and all of {namespace} together"
    return Decision(True, f"{who} has {what} on {where}")
