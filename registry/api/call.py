"""What a handler is given: the request, who sent it, the checked values of its path, and the use cases."""

from dataclasses import dataclass

from starlette.requests import Request

from auth.policy import Subject
from registry.catalog.hot import HotReads
from registry.content.blobs import Blobs
from registry.content.listings import Listings
from registry.content.manifests import Manifests
from registry.content.uploads import Uploads
from registry.edge.access import Access
from registry.edge.bridge import Bridge
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import InvalidTag, Reference, RepositoryName, parse_reference
from storage.digest import Digest


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases and what they run on; one of these a process."""

    hot: HotReads
    manifests: Manifests
    blobs: Blobs
    uploads: Uploads
    listings: Listings
    access: Access
    bridge: Bridge


class Call:
    """One request to one endpoint."""

    __slots__ = ("_name", "path", "request", "services", "subject")

    def __init__(
        self,
        request: Request,
        services: Services,
        subject: Subject,
        name: RepositoryName | None,
        path: dict[str, str],
    ) -> None:
        self.request = request
        self.services = services
        self.subject = subject
        self._name = name
        self.path = path

    @property
    def name(self) -> RepositoryName:
        """Give the repository that the path names."""
        if self._name is None:
            raise AssertionError("this endpoint's path names no repository")
        return self._name

    @property
    def digest(self) -> Digest:
        """Give the digest that the path names. Raises InvalidDigest."""
        return Digest.parse(self.path["digest"])

    @property
    def reference(self) -> Reference:
        """Give the tag or digest that the path names. Raises InvalidTag or InvalidDigest."""
        return parse_reference(self.path["reference"])

    @property
    def known_reference(self) -> Reference:
        """Give the tag or digest to look up; what can be no tag was never pushed. Raises MANIFEST_UNKNOWN."""
        try:
            return self.reference
        except InvalidTag as error:
            raise RegistryError(ErrorCode.MANIFEST_UNKNOWN, f"no such tag: {error}") from None

    @property
    def session_id(self) -> str:
        """Give the upload session's id as the catalog writes it: the UUID without its dashes."""
        return self.path["session"].replace("-", "")

    def query(self, key: str) -> str | None:
        """Give a query parameter. Raises REQUEST_INVALID where it stands there twice."""
        values = self.request.query_params.getlist(key)
        if len(values) > 1:
            raise RegistryError(ErrorCode.REQUEST_INVALID, f"the query parameter {key} may stand there once only")
        return values[0] if values else None
