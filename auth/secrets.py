"""Secrets that a machine makes: access tokens, robots' tokens, refresh tokens, identifiers, first passwords.

A secret has 256 random bits, so a quick hash keeps it (a slow one is for what people choose, `auth.passwords`), and
a prefix by which scanners find what has leaked.
"""

import hashlib
import re
import secrets
from enum import Enum

_SECRET = re.compile(r"(mrg_[a-z]{3}_)[A-Za-z0-9_-]{43}", re.ASCII)
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is read as something else: i l o 0 1
_GROUPS = 4
_GROUP_LENGTH = 5


class SecretKind(Enum):
    """What a secret is for; the value is its prefix."""

    PAT = "mrg_pat_"
    ROBOT = "mrg_rob_"
    REFRESH = "mrg_ref_"


def new_secret(kind: SecretKind) -> str:
    """Make a secret: the prefix of its kind and 43 characters of base64url, which are 256 random bits."""
    return kind.value + secrets.token_urlsafe(32)


def kind_of(text: str) -> SecretKind | None:
    """Tell which kind of secret a text is by its grammar alone; None if it is something else, such as a password."""
    match = _SECRET.fullmatch(text)
    return next((kind for kind in SecretKind if match and match[1] == kind.value), None)


def hash_secret(text: str) -> str:
    """Return what is stored of a secret, and what it is found by: the SHA-256, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def new_id() -> str:
    """Make an identifier that is no secret: 16 hexadecimal digits."""
    return secrets.token_hex(8)


def new_password() -> str:
    """Make a password that a person can read off a screen and type: four groups, 99 random bits."""
    groups = ("".join(secrets.choice(_READABLE) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)
