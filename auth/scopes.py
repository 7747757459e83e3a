"""Scopes: what a client asks of the token endpoint (Distribution, "Token Scope Documentation").

    scope ::= type ":" name ":" action ("," action)*        type ::= [a-z0-9]+ ("(" class ")")?

A name may hold colons, so the first and the last one part it. Here a name is any run of the characters that RFC 6749
allows in a scope, which keeps quotes out of headers and line breaks out of logs; whether it names a repository is for
others to say. To ask for what one may not have is no error; to ask in another grammar is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_SCOPES = 32
SCOPE_LIMIT = 600

_SCOPE = re.compile(
    r"(?P<type>[a-z0-9]+(?:\([a-z0-9]+\))?):(?P<name>[!#-\[\]-~]+):(?P<actions>(?:\*|[a-z0-9_,-])*)", re.ASCII
)


class InvalidScope(ValueError):
    """The text is no scope, or there are too many; the message says which."""


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Some actions on one resource; the actions sorted, each once. Made by `parse_scopes` and `repository_scope`."""

    type: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        """Write the scope as it goes over the wire."""
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


CATALOG = Scope("registry", "catalog", ("*",))
SEARCH = Scope("registry", "catalog", ("search",))


def parse_scopes(values: Iterable[str]) -> tuple[Scope, ...]:
    """Read `scope` parameters, each of which may hold several scopes with blanks between.

    What is asked for one resource in several places is merged, in the place of the first; what asks for no action goes.

    Raises: InvalidScope if there are more than MAX_SCOPES, or if one is too long or not in the grammar.
    """
    asked: dict[tuple[str, str], set[str]] = {}
    texts = [text for value in values for text in value.split(" ") if text]
    if len(texts) > MAX_SCOPES:
        raise InvalidScope(f"at most {MAX_SCOPES} scopes go into a token")
    for text in texts:
        kind, name, actions = _parts(text)
        if actions:
            asked.setdefault((kind, name), set()).update(actions)
    return tuple(Scope(kind, name, tuple(sorted(actions))) for (kind, name), actions in asked.items())


def format_scopes(scopes: Iterable[Scope]) -> str:
    """Write scopes as one parameter, with blanks between."""
    return " ".join(str(scope) for scope in scopes)


def repository_scope(name: str, *actions: str) -> Scope:
    """Make the scope for some actions on a repository."""
    return Scope("repository", name, tuple(sorted(set(actions))))


def _parts(text: str) -> tuple[str, str, set[str]]:
    if len(text) > SCOPE_LIMIT:
        raise InvalidScope(f"a scope has at most {SCOPE_LIMIT} characters")
    match = _SCOPE.fullmatch(text)
    if match is None:
        raise InvalidScope("a scope is written type:name:actions, such as repository:team/app:pull,push")
    actions = {action for action in match["actions"].split(",") if action}
    if any("*" in action and action != "*" for action in actions):
        raise InvalidScope("an action is a lower-case word, or * for all")
    return match["type"], match["name"], actions
