"""Content descriptors (image-spec, "OCI Content Descriptors"): the arrows from a manifest to what it names."""

import re
from dataclasses import dataclass
from enum import Enum

from registry.oci.documents import InvalidDocument, Reader
from storage.digest import Digest, InvalidDigest

SIZE_LIMIT = 2**63 - 1
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII)


class Role(Enum):
    """What a descriptor is to the manifest that holds it."""

    CONFIG = "config"
    LAYER = "layer"
    CHILD = "child"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Content that is named by its digest. `size` is in bytes."""

    media_type: str
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class ManifestReference:
    """One arrow of a manifest: its role, its place in the document, and the descriptor."""

    role: Role
    place: str
    descriptor: Descriptor


def is_media_type(text: str) -> bool:
    """Tell whether a text is a media type by RFC 6838, section 4.2, without parameters."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def read_descriptor(reader: Reader) -> Descriptor:
    """Read a descriptor's required fields. Raises InvalidDocument, which names the place."""
    media_type = reader.text("mediaType")
    if media_type is None or not is_media_type(media_type):
        raise InvalidDocument(f"{reader.where('mediaType')} is missing or is no media type")
    size = reader.number("size")
    if size is None or not 0 <= size <= SIZE_LIMIT:
        raise InvalidDocument(f"{reader.where('size')} is missing, negative or too large")
    digest = reader.text("digest")
    if digest is None:
        raise InvalidDocument(f"{reader.where('digest')} is missing")
    try:
        return Descriptor(media_type, Digest.parse(digest), size)
    except InvalidDigest as error:
        raise InvalidDocument(f"{reader.where('digest')}: {error}") from None
