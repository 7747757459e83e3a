"""How the engine speaks to registries: which are asked, with whose credentials, and what their refusals are called.

Sentences are Docker's (moby, distribution/errors.go), or those that its CLI looks for.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.client.credentials import ANONYMOUS, Credentials
from registry.client.errors import Answered, ClientError
from registry.client.limits import Limits
from registry.client.registry import Registry
from registry.client.trust import CERTIFICATES
from runtime.errors import EngineError, NotFound
from runtime.images.reference import DEFAULT_HOSTS, ImageReference

HUB = "registry-1.docker.io"
"""Where docker.io is, for an administrator who made it the default registry."""


class RegistryFailed(EngineError):
    """A registry could not be used."""


@dataclass(frozen=True, slots=True)
class Registries:
    """The administrator's choices. `mirrors`: asked first for what the default registry holds; http[s]://host[:port]."""

    default: str
    mirrors: tuple[str, ...] = ()
    insecure: frozenset[str] = frozenset()
    certificates: Path = CERTIFICATES
    limits: Limits = field(default_factory=Limits)

    def open(self, host: str, given: Mapping[str, Any]) -> Registry:
        """Make a client of a registry.

        Args:   given: X-Registry-Auth; left out where it says that it is for another registry.
        Raises: ClientError.
        """
        credentials = self._credentials(host, given)
        where = HUB if host in DEFAULT_HOSTS else host
        return Registry(
            where,
            credentials,
            insecure=host in self.insecure,
            certificates=self.certificates,
            limits=self.limits,
        )

    def sources(self, reference: ImageReference, given: Mapping[str, Any]) -> list[tuple[str, Registry]]:
        """Make clients of every registry that may hold an image, in their order; mirrors get no credentials.

        Raises: RegistryFailed.
        """
        with failing():
            mirrors = self.mirrors if reference.registry == self.default else ()
            found = [(mirror, self._mirror(mirror)) for mirror in mirrors]
            return [*found, (reference.registry, self.open(reference.registry, given))]

    def _mirror(self, text: str) -> Registry:
        scheme, _, host = text.rstrip("/").rpartition("://")
        insecure = scheme == "http" or host in self.insecure
        return Registry(host, insecure=insecure, certificates=self.certificates, limits=self.limits)

    def _credentials(self, host: str, given: Mapping[str, Any]) -> Credentials:
        text = {name: value for name, value in given.items() if isinstance(value, str)}
        address = text.get("serveraddress", "")
        if address and self.host_of(address) != self.host_of(host):
            return ANONYMOUS
        return Credentials(
            username=text.get("username", ""),
            password=text.get("password", ""),
            identity_token=text.get("identitytoken", ""),
            registry_token=text.get("registrytoken", ""),
        )

    def host_of(self, address: str) -> str:
        """Cut a server's address, as `docker login` keeps it, down to host[:port]."""
        host = address.rpartition("://")[2].partition("/")[0].lower()
        return self.default.lower() if host in DEFAULT_HOSTS else host


@contextmanager
def failing() -> Iterator[None]:
    """Call what a registry's client raises by the engine's names."""
    try:
        yield
    except ClientError as error:
        raise RegistryFailed(str(error)) from error


@contextmanager
def pulling(shown: str, name: str) -> Iterator[None]:
    """The same for a pull: `shown` is the image as its user wrote it, `name` its repository."""
    try:
        with failing():
            yield
    except RegistryFailed as failed:
        error = failed.__cause__
        if not isinstance(error, Answered):
            raise
        if error.code in {"DENIED", "UNAUTHORIZED"}:
            advice = "repository does not exist or may require 'docker login'"
            raise NotFound(f"pull access denied for {name}, {advice}: {error}") from error
        if error.code == "NAME_UNKNOWN":
            raise NotFound(f"repository {name} not found: {error}") from error
        if error.code == "MANIFEST_UNKNOWN" or error.status == 404:
            raise NotFound(f"manifest for {shown} not found: {error}") from error
        raise
