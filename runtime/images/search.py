"""What registries hold that is not here: `docker search`, and `docker manifest inspect`'s question.

Sentences are Docker's (moby, registry/search.go and api/server/router/distribution).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.client.lists import Found
from registry.oci.descriptors import Descriptor, Role
from registry.oci.documents import Reader, read_document
from registry.oci.manifests import InvalidManifest, parse_manifest
from registry.oci.mediatypes import ManifestKind
from registry.oci.names import RepositoryName, Tag
from runtime.errors import BadParameter
from runtime.images import choice, configuration
from runtime.images.choice import Platform
from runtime.images.finding import BadImage
from runtime.images.reference import ImageReference, parse
from runtime.images.registries import Registries, failing, pulling

USUAL, MOST = 25, 100
FILTERS = frozenset({"is-official", "is-automated", "stars"})


@dataclass(frozen=True, slots=True)
class Distributed:
    """An image as a registry has it: what its name means there, and the platforms that it is for."""

    descriptor: Descriptor
    platforms: tuple[Platform, ...]


def search(
    registries: Registries, term: str, *, limit: int | None, filters: Mapping[str, list[str]], given: Mapping[str, Any]
) -> list[Found]:
    """Find images by a word, which may begin with the registry that is asked. Raises: BadParameter, RegistryFailed."""
    limit = limit or USUAL
    if not 1 <= limit <= MOST:
        raise BadParameter(f"limit {limit} is outside the range of [1, {MOST}]")
    if unknown := set(filters) - FILTERS:
        raise BadParameter(f"invalid filter '{min(unknown)}'")
    if "://" in term:
        raise BadParameter(f"invalid repository name: repository name ({term}) should not have a scheme")
    host, word = _split(term, registries.default)
    with failing(), registries.open(host, given) as registry:
        found = registry.search(word, limit)
    return [each for each in found if _passes(each, filters)]


def inspect(registries: Registries, reference: ImageReference, shown: str, given: Mapping[str, Any]) -> Distributed:
    """Ask a registry what an image's name means there. Raises: NotFound, RegistryFailed, BadImage."""
    repository = RepositoryName.parse(reference.repository)
    with failing():
        registry = registries.open(reference.registry, given)
    with registry, pulling(shown, shown):
        fetched = registry.manifest(repository, reference.digest or Tag.parse(reference.tag or "latest"))
        try:
            manifest = parse_manifest(fetched.content, fetched.media_type or None)
        except InvalidManifest as error:
            raise BadImage(str(error)) from error
        descriptor = Descriptor(manifest.media_type, fetched.digest, len(fetched.content))
        if manifest.kind is ManifestKind.INDEX:
            entries = Reader(read_document(fetched.content)).children("manifests")
            return Distributed(descriptor, tuple(p for entry in entries if (p := choice.of_entry(entry))))
        config = next((arrow.descriptor for arrow in manifest.references if arrow.role is Role.CONFIG), None)
        if config is None or config.size > configuration.LIMIT:
            return Distributed(descriptor, ())
        document = configuration.read(registry.small_blob(repository, config)).document
        return Distributed(descriptor, (choice.of_config(document),))


def _split(term: str, default: str) -> tuple[str, str]:
    """Cut the registry's host from a term, as references have it."""
    first, slash, rest = term.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return parse(f"{first}/x", default).registry, rest
    return default, term


def _passes(found: Found, filters: Mapping[str, list[str]]) -> bool:
    for name, values in filters.items():
        for value in values:
            if name == "stars":
                if not value.isdecimal():
                    raise BadParameter(f"invalid filter 'stars=[{value}]'")
                if found.stars < int(value):
                    return False
            elif (value.lower() in {"true", "1"}) != (found.official if name == "is-official" else found.automated):
                return False
    return True
