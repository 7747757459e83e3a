"""References to images as people write them. Grammar: github.com/distribution/reference, "Grammar".

A name without a host means the default registry, and so does docker.io: never the internet silently.
"""

import re
from dataclasses import dataclass

from registry.oci.names import InvalidName, InvalidTag, RepositoryName, Tag
from runtime.errors import BadParameter
from storage.digest import Digest, InvalidDigest

DEFAULT_HOSTS = frozenset({"docker.io", "index.docker.io"})
_HOST = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])"
    r"(?::[0-9]+)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A registry (host[:port]), a repository in it, and a tag, a digest, both or neither."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{self._ending()}"

    def familiar(self, default_registry: str) -> str:
        """Write the reference as `docker images` shows it: without the default registry, and `library/`."""
        if self.registry != default_registry:
            return str(self)
        return self.repository.removeprefix("library/") + self._ending()

    def _ending(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str, default_registry: str) -> ImageReference:
    """Read a reference. Raises BadParameter, in Docker's words."""
    name, _, digest_text = text.partition("@")
    first, slash, rest = name.partition("/")
    hosted = bool(slash) and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    registry, path = (first, rest) if hosted else (default_registry, name)
    path, _, tag_text = path.partition(":")
    if registry in DEFAULT_HOSTS:
        registry = default_registry
    if registry == default_registry and "/" not in path:
        path = f"library/{path}"
    try:
        if (hosted and not _HOST.fullmatch(first)) or path.lower() != path:
            raise InvalidName(path)
        repository = RepositoryName.parse(path).value
        tag = Tag.parse(tag_text).value if ":" in name.rpartition("/")[2] else None
        digest = Digest.parse(digest_text) if "@" in text else None
    except (InvalidName, InvalidTag, InvalidDigest):
        upper = "repository name must be lowercase" if path.lower() != path else None
        raise BadParameter(f"invalid reference format{f': {upper}' if upper else ''}") from None
    return ImageReference(registry, repository, tag, digest)
