"""Names of accounts: users and organisations share one set of names, robots are `organisation+name`.

An account's name is the namespace of its repositories, so it has the form of a repository name's first part
(distribution-spec, "Pulling manifests").
"""

import re
from dataclasses import dataclass

_PART = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
_ACCOUNT = re.compile(_PART, re.ASCII)
_ROBOT = re.compile(rf"({_PART})\+({_PART})", re.ASCII)

LEAST, MOST = 2, 64
RESERVED = frozenset({"anonymous", "everyone", "moorage", "operator", "token"})

GRAMMAR = "lower-case letters and digits, joined by single dots, dashes or underscores"


class InvalidAccountName(ValueError):
    """This is no name for an account; the message says why."""


@dataclass(frozen=True, slots=True)
class AccountName:
    """The name of a user, an organisation or a team; made only by `parse`."""

    value: str

    @classmethod
    def parse(cls, text: str) -> "AccountName":
        """Check a name. Raises InvalidAccountName."""
        if not LEAST <= len(text) <= MOST or not _ACCOUNT.fullmatch(text):
            raise InvalidAccountName(f"a name has {LEAST} to {MOST} characters: {GRAMMAR}; got {text[:80]!a}")
        if text in RESERVED:
            raise InvalidAccountName(f"the name {text} is reserved")
        return cls(text)

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class RobotName:
    """The name of a robot, `organisation+name`; made only by `parse`."""

    organization: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "RobotName":
        """Check a name. Raises InvalidAccountName."""
        found = _ROBOT.fullmatch(text)
        if found is None or len(found[1]) > MOST or len(found[2]) > MOST:
            raise InvalidAccountName(f"a robot is called ORGANISATION+NAME, both of {GRAMMAR}; got {text[:140]!a}")
        return cls(found[1], found[2])

    def __str__(self) -> str:
        return f"{self.organization}+{self.name}"
