"""Reading the Authorization header (RFC 9110, section 11.6.2): Basic (RFC 7617), Bearer (RFC 6750), or a refusal."""

import base64
import binascii
from dataclasses import dataclass

from starlette.types import Scope


@dataclass(frozen=True, slots=True)
class Basic:
    """A name and a password or secret; both empty where a client has nothing to say (docker search)."""

    name: str
    secret: str

    @property
    def empty(self) -> bool:
        """Tell whether nobody signs in."""
        return not self.name and not self.secret


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token, not yet checked."""

    token: str


class MalformedAuthorization(Exception):
    """The header is neither Basic nor Bearer; the message says so without repeating it."""


def raw_authorization(scope: Scope) -> bytes | None:
    """Give the header as it was sent; None where there is none. Raises MalformedAuthorization where it stands twice."""
    found = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            if found is not None:
                raise MalformedAuthorization("the Authorization header stands there more than once")
            found = value
    return found


def parse_authorization(value: bytes) -> Basic | Bearer:
    """Read the header. Raises MalformedAuthorization."""
    scheme, _, rest = value.partition(b" ")
    rest = rest.strip(b" ")
    if scheme.lower() == b"bearer":
        return Bearer(rest.decode("latin-1"))
    if scheme.lower() == b"basic":
        return _basic(rest)
    raise MalformedAuthorization("the Authorization header is neither Basic nor Bearer")


def _basic(encoded: bytes) -> Basic:
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise MalformedAuthorization("the Basic credentials are not base64 of UTF-8 text") from None
    name, colon, secret = text.partition(":")
    if not colon:
        raise MalformedAuthorization("the Basic credentials have no colon between name and password")
    return Basic(name, secret)
