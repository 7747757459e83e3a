"""Manifests: bytes whose meaning is read once, at push, and which are never written again.

Serves image-spec "Image Manifest" and "Image Index", Docker's schema 2 and manifest lists, and artifacts of any
media type, which are read by their shape. Whether the named content is there is the caller's question.
"""

from dataclasses import dataclass, field

from registry.oci import mediatypes
from registry.oci.descriptors import Descriptor, ManifestReference, Role, is_media_type, read_descriptor
from registry.oci.documents import InvalidDocument, Reader, read_document
from registry.oci.mediatypes import ManifestKind

DESCRIPTOR_LIMIT = 10_000
LAYER_LIMIT = 1_000

_SCHEMA1_ADVICE = (
    "Docker image manifest schema 1 is not accepted: it was retired in 2017. Push with a current client,"
    " or convert the image first, for example: skopeo copy --format v2s2 SOURCE DESTINATION"
)


class InvalidManifest(ValueError):
    """The bytes are no manifest that this registry takes; the message says why and, where it can, what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says, beside its bytes.

    `artifact_type` is the value that the referrers list shows: the manifest's own, else the config's media type;
    an index without one has None (distribution-spec, "Listing Referrers").
    """

    media_type: str
    kind: ManifestKind
    content: bytes
    artifact_type: str | None
    references: tuple[ManifestReference, ...]
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> Descriptor | None:
        """Give the manifest that this one refers to, which need not exist."""
        return next((arrow.descriptor for arrow in self.references if arrow.role is Role.SUBJECT), None)

    @property
    def layers(self) -> int:
        """Count the layers."""
        return sum(arrow.role is Role.LAYER for arrow in self.references)


def parse_manifest(content: bytes, content_type: str | None) -> Manifest:
    """Read and check a manifest.

    Args:    content_type: the request's, without parameters; None where the client sent none.
    Raises:  InvalidManifest.
    """
    if content_type in mediatypes.DOCKER_SCHEMA1:
        raise InvalidManifest(_SCHEMA1_ADVICE)
    try:
        reader = Reader(read_document(content))
        if reader.fields.get("schemaVersion") == 1:
            raise InvalidManifest(_SCHEMA1_ADVICE)
        media_type = _media_type(reader, content_type)
        kind = mediatypes.KINDS.get(media_type, ManifestKind.OTHER)
        _check_shape(reader, media_type, kind)
        references = _references(reader)
        _check_limits(references)
        return Manifest(
            media_type=media_type,
            kind=kind,
            content=content,
            artifact_type=_artifact_type(reader, references),
            references=references,
            annotations=reader.texts("annotations"),
        )
    except InvalidDocument as error:
        raise InvalidManifest(f"the manifest is not valid: {error}") from None


def _media_type(reader: Reader, content_type: str | None) -> str:
    """Settle the media type: the header and the field must agree where both are there."""
    own = reader.text("mediaType")
    if own and content_type and own != content_type:
        raise InvalidDocument(f"its mediaType is {own!a}, but the Content-Type of the request is {content_type!a}")
    chosen = own or content_type or _guess(reader)
    if not is_media_type(chosen) or not chosen.startswith("application/"):
        raise InvalidDocument(f"{chosen!a} is no media type of a manifest; it has to start with 'application/'")
    return chosen


def _guess(reader: Reader) -> str:
    if "manifests" in reader.fields:
        return mediatypes.OCI_INDEX
    if "config" in reader.fields or "layers" in reader.fields:
        return mediatypes.OCI_MANIFEST
    raise InvalidDocument("it has no mediaType, and the request has no Content-Type")


def _check_shape(reader: Reader, media_type: str, kind: ManifestKind) -> None:
    fields = reader.fields
    if "manifests" in fields and ({"layers", "config"} & fields.keys()):
        raise InvalidDocument("it holds both 'manifests' and 'layers' or 'config', so it could be read in two ways")
    if media_type in (mediatypes.OCI_ARTIFACT,):
        return
    if kind is not ManifestKind.OTHER and reader.number("schemaVersion") != 2:
        raise InvalidDocument("schemaVersion is not 2")
    if kind is ManifestKind.IMAGE and reader.child("config") is None:
        raise InvalidDocument("config is missing")
    if kind is ManifestKind.INDEX and ({"layers", "config"} & fields.keys()):
        raise InvalidDocument("an index holds neither 'layers' nor 'config'")


def _references(reader: Reader) -> tuple[ManifestReference, ...]:
    found: list[ManifestReference] = []
    for role, key in ((Role.CONFIG, "config"), (Role.SUBJECT, "subject")):
        child = reader.child(key)
        if child is not None:
            found.append(ManifestReference(role, child.place, read_descriptor(child)))
    for role, key in ((Role.LAYER, "layers"), (Role.LAYER, "blobs"), (Role.CHILD, "manifests")):
        for child in reader.children(key):
            found.append(ManifestReference(role, child.place, read_descriptor(child)))
    return tuple(found)


def _check_limits(references: tuple[ManifestReference, ...]) -> None:
    if len(references) > DESCRIPTOR_LIMIT:
        raise InvalidDocument(f"it names {len(references)} things; the limit is {DESCRIPTOR_LIMIT}")
    layers = sum(arrow.role is Role.LAYER for arrow in references)
    if layers > LAYER_LIMIT:
        raise InvalidDocument(f"it has {layers} layers; the limit is {LAYER_LIMIT}")


def _artifact_type(reader: Reader, references: tuple[ManifestReference, ...]) -> str | None:
    own = reader.text("artifactType")
    if own is not None:
        if not is_media_type(own):
            raise InvalidDocument("artifactType is no media type")
        return own
    return next((arrow.descriptor.media_type for arrow in references if arrow.role is Role.CONFIG), None)
