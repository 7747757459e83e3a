"""What a client asks of a build, whole and checked. Pure. Source: Engine API, "Build an image"."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.images.reference import ImageReference

EPOCH = "SOURCE_DATE_EPOCH"
PREDEFINED = frozenset(
    name
    for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (proxy, proxy.lower())
)
"""Arguments that every step gets without an ARG; they are in no image and no cache key."""


@dataclass(frozen=True, slots=True)
class Request:
    """One build. `host`: Docker's HostConfig for its steps; `credentials`: by registry, X-Registry-Auth's documents."""

    dockerfile: str = "Dockerfile"
    tags: tuple[ImageReference, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    platform: str = ""
    no_cache: bool = False
    pull: bool = False
    quiet: bool = False
    host: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cache_from: bool = False
    """The client named images to take a cache from, which the engine does not."""

    def login(self, registry: str, default_registry: str) -> Mapping[str, Any]:
        """Find the credentials for a registry, under any of the names that clients give it."""
        names = [registry, f"https://{registry}", f"https://{registry}/v1/", f"https://{registry}/v2/"]
        if registry == default_registry:
            names += ["https://index.docker.io/v1/", "docker.io", "index.docker.io"]
        return next((self.credentials[name] for name in names if name in self.credentials), {})

    @property
    def epoch(self) -> int | None:
        """The moment that everything gets that is newer, in seconds since 1970, where the client gives one."""
        text = self.arguments.get(EPOCH, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else None
