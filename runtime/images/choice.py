"""Which image of an index is pulled: platforms as people and indexes write them (image-spec, "Image Index").

Pure. Names of architectures and their variants are those of Go and of containerd's platforms package.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from registry.oci.descriptors import Descriptor, Role
from registry.oci.documents import Reader, read_document
from registry.oci.manifests import Manifest
from runtime.errors import BadParameter, NotFound
from runtime.images import platforms

_PART = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_SAME: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "x86_64": ("amd64", ""),
        "x86-64": ("amd64", ""),
        "aarch64": ("arm64", ""),
        "i386": ("386", ""),
        "i686": ("386", ""),
        "armhf": ("arm", "v7"),
        "armel": ("arm", "v6"),
    }
)
_USUAL: Mapping[str, str] = MappingProxyType({"arm64": "v8", "arm": "v7", "amd64": "v1"})
"""The variant that is meant where none is written."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def generation(self) -> int:
        """The variant as a number: v7 runs what was made for v6 as well."""
        text = (self.variant or _USUAL.get(self.architecture, "")).removeprefix("v").partition(".")[0]
        return int(text) if text.isdecimal() and len(text) < 4 else 0


def parse(text: str) -> Platform:
    """Read OS[/ARCHITECTURE[/VARIANT]] or an architecture; "" is this machine's. Raises BadParameter."""
    here = Platform(platforms.OS, platforms.architecture())
    if not text:
        return here
    parts = text.split("/")
    if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
        raise BadParameter(f'"{text[:100]}" is an invalid platform; write OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT')
    parts = [part.lower() for part in parts]
    if len(parts) == 1:
        return here if parts[0] == here.os else _normal(here.os, parts[0], "")
    return _normal(parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def choose(index: Manifest, wanted: Platform) -> Descriptor:
    """Choose the image of an index that runs on a platform, the most particular one.

    Raises: NotFound in Docker's words.
    """
    entries = Reader(read_document(index.content)).children("manifests")
    children = [arrow.descriptor for arrow in index.references if arrow.role is Role.CHILD]
    fitting = [
        (platform.generation, -position)
        for position, entry in enumerate(entries)
        if (platform := of_entry(entry)) is not None and runs(platform, wanted)
    ]
    if not fitting:
        raise NotFound(f"no matching manifest for {wanted} in the manifest list entries")
    return children[-max(fitting)[1]]


def runs(image: Platform, wanted: Platform) -> bool:
    """Tell whether a machine that was asked for runs an image."""
    if (image.os, image.architecture) != (wanted.os, wanted.architecture):
        return False
    if wanted.architecture == "arm64":
        return image.generation <= max(wanted.generation, 8)
    return image.generation <= wanted.generation


def of_config(config: Mapping[str, object]) -> Platform:
    """Read the platform that an image's configuration says, whose types were checked."""
    system, architecture, variant = (str(config.get(name) or "") for name in ("os", "architecture", "variant"))
    return _normal(system or platforms.OS, architecture or platforms.architecture(), variant)


def of_entry(entry: Reader) -> Platform | None:
    """Read the platform of an index's entry; None where it says none. Raises InvalidDocument."""
    platform = entry.child("platform")
    if platform is None:
        return None
    parts = (platform.text("os"), platform.text("architecture"))
    return _normal(parts[0], parts[1], platform.text("variant") or "") if parts[0] and parts[1] else None


def _normal(system: str, architecture: str, variant: str) -> Platform:
    architecture, usual = _SAME.get(architecture.lower(), (architecture.lower(), ""))
    variant = variant.lower() or usual
    if (architecture, variant) in {("arm64", "8"), ("arm64", "v8"), ("amd64", "v1")}:
        variant = ""
    return Platform(system.lower(), architecture, f"v{variant}" if variant.isdecimal() else variant)
