"""Image names as a user writes them: the parts that the API wants apart, and the registry that logins are kept for.

Knows only where a name is cut; what it may consist of is the daemon's to judge. Source: distribution/reference.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """`repository` with its registry where one is given; `tag` and `digest` may be ""."""

    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def tagged(self) -> str:
        """The name with the tag or digest that is asked for; `latest` where none is."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag or 'latest'}"

    @property
    def registry(self) -> str:
        """host[:port] of the registry; "" for the daemon's own choice."""
        first, slash, _ = self.repository.partition("/")
        return first if slash and (first == "localhost" or "." in first or ":" in first) else ""


def cut(text: str) -> Name:
    """Cut `registry:5000/team/app:1.0@sha256:...` into its parts."""
    rest, _, digest = text.partition("@")
    repository, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = rest, ""
    return Name(repository, tag, digest)
