"""The one way in which administering accounts fails: with a sentence for the person who asked."""

import re

from auth.secrets import SecretKind

_PLAIN = re.compile(r"[A-Za-z0-9._+/*-]{1,140}", re.ASCII)
_SECRET = re.compile("|".join(kind.value for kind in SecretKind))


class AccountsError(Exception):
    """What was asked for is not done; the message says why, and what to do next. It holds no secret."""


def shown(text: str) -> str:
    """Repeat what somebody typed, so that it forges no line; a secret in a name's place is not repeated."""
    if _SECRET.search(text):
        return "(a secret)"
    return text if _PLAIN.fullmatch(text) else ascii(text[:140])
