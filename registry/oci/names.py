"""Repository names, tags and references, as the distribution-spec's "Pulling manifests" writes their grammar.

A value of these types is proof that the text was checked; past the edge no bare `str` is a name.
The regular expressions are the specification's own, matched whole and in ASCII only.
"""

import re
from dataclasses import dataclass

from storage.digest import Digest

NAME_LIMIT = 255
COMPONENT_LIMIT = 32

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)


class InvalidName(ValueError):
    """The text is no repository name; the message says what is wrong with it."""


class InvalidTag(ValueError):
    """The text is no tag; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, order=True)
class RepositoryName:
    """A repository's name, such as `team/app`; made only by `parse`."""

    value: str

    @classmethod
    def parse(cls, text: str) -> "RepositoryName":
        """Check a name against the grammar and the length limits. Raises InvalidName."""
        if len(text) > NAME_LIMIT:
            raise InvalidName(f"a repository name has at most {NAME_LIMIT} characters; this one has {len(text)}")
        if not _NAME.fullmatch(text):
            raise InvalidName(_name_advice(text))
        if text.count("/") >= COMPONENT_LIMIT:
            raise InvalidName(f"a repository name has at most {COMPONENT_LIMIT} parts between slashes")
        return cls(text)

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """A tag, such as `1.2` or `latest`; made only by `parse`."""

    value: str

    @classmethod
    def parse(cls, text: str) -> "Tag":
        """Check a tag against the grammar. Raises InvalidTag."""
        if not _TAG.fullmatch(text):
            raise InvalidTag(
                "a tag has 1 to 128 letters, digits, dots, dashes and underscores, and starts with none of '.' and '-'"
            )
        return cls(text)

    def __str__(self) -> str:
        return self.value


Reference = Tag | Digest


def parse_reference(text: str) -> Reference:
    """Read a manifest reference: a digest where there is a colon, for no tag holds one, else a tag.

    Raises: InvalidTag or storage.digest.InvalidDigest.
    """
    return Digest.parse(text) if ":" in text else Tag.parse(text)


def _name_advice(text: str) -> str:
    lowered = text.lower()
    if lowered != text and _NAME.fullmatch(lowered):
        return f"repository names are lower case: try {lowered}"
    return (
        "a repository name is lower-case letters and digits, joined by single '.', '_', '__' or dashes,"
        " in parts between single slashes"
    )
