"""What a 401 says: where to get a token, for which scopes, and what was wrong (RFC 6750, section 3).

The realm has to be absolute, for clients accept nothing else: the public address of the settings, or else the scheme
and Host of the request, checked by grammar, for what is echoed in a header decides where clients send passwords.
"""

import re
from collections.abc import Sequence

from starlette.types import Scope as ASGIScope

from auth.policy import Action
from auth.scopes import CATALOG, SEARCH, Scope, format_scopes, repository_scope
from registry.oci.errors import ErrorCode, RegistryError

HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?"
    r"|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?",
    re.ASCII,
)
"""A host name, an IPv4 address or an IPv6 address in brackets, and a port (of RFC 3986, section 3.2.2, what occurs)."""

TOKEN_PATH = "/token"  # noqa: S105  # an address
LONGEST_HOST = 261

NEEDED = {
    Action.PULL: ("pull",),
    Action.PUSH: ("pull", "push"),
    Action.DELETE_TAG: ("delete",),
    Action.DELETE_MANIFEST: ("delete",),
    Action.DELETE_BLOB: ("delete",),
}
"""The scope that a client should ask for: a push looks for layers first, so it wants to pull too."""


class Challenges:
    """Writes the header. `public_url`: what clients use, without a path; None: what each request says."""

    def __init__(self, *, public_url: str | None, service: str) -> None:
        self._public_url = public_url.rstrip("/") if public_url else None
        self._service = service

    def header(
        self, scope: ASGIScope, scopes: Sequence[Scope] = (), *, error: str | None = None, description: str = ""
    ) -> str:
        """Give the value of WWW-Authenticate. Raises REQUEST_INVALID for a Host that is none."""
        fields = {"realm": self.base(scope) + TOKEN_PATH, "service": self._service}
        if scopes:
            fields["scope"] = format_scopes(scopes)
        if error is not None:
            fields |= {"error": error, "error_description": description}
        return "Bearer " + ",".join(f'{name}="{_quotable(value)}"' for name, value in fields.items())

    def host(self, scope: ASGIScope) -> str:
        """Give the host as clients name it, and as a person types it behind `docker login`."""
        return self.base(scope).partition("://")[2]

    def base(self, scope: ASGIScope) -> str:
        """Give scheme and host as clients see them."""
        return self._public_url or f"{scope['scheme']}://{host_of(scope)}"


def scopes_for(action: Action, *repositories: str) -> tuple[Scope, ...]:
    """Say what to ask for: the action on the first repository, and to pull from the others (a mount's source)."""
    if action is Action.CATALOG:
        return (CATALOG,)
    if action is Action.SEARCH:
        return (SEARCH,)
    if not repositories or action not in NEEDED:
        return ()
    first, *others = repositories
    return (repository_scope(first, *NEEDED[action]), *(repository_scope(other, "pull") for other in others))


def host_of(scope: ASGIScope) -> str:
    """Give the Host that a client used. Raises REQUEST_INVALID where it is no host."""
    value = next((value for name, value in scope["headers"] if name == b"host"), b"")
    text = value.decode("latin-1")
    if len(text) > LONGEST_HOST or not HOST.fullmatch(text):
        raise RegistryError(ErrorCode.REQUEST_INVALID, "the Host header is not a host name or address with a port")
    return text


def _quotable(text: str) -> str:
    """Keep what a quoted string may hold (RFC 9110, section 5.6.4), and no quotes inside."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" if c == '"' else "?" for c in text)
