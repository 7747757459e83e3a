"""What a handler is given: the request, who sent it, the checked values of its path, and the use cases."""

from dataclasses import dataclass
from functools import cached_property

from starlette.requests import Request
from starlette.types import Receive, Scope

from registry.accounts.keys import KeyRing
from registry.accounts.tokens import Tokens
from registry.api.answers import ManifestHeads
from registry.api.redirects import Redirects
from registry.catalog.blobs import Blob
from registry.catalog.hot import HotReads
from registry.catalog.manifests import ManifestEntry
from registry.content.blobs import Blobs
from registry.content.listings import Listings
from registry.content.manifests import Manifests
from registry.content.pulls import Pulls
from registry.content.uploads import Uploads
from registry.edge.access import Access
from registry.edge.bridge import Bridge
from registry.edge.callers import Caller
from registry.edge.doorman import Doorman
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import InvalidTag, Reference, RepositoryName, parse_reference
from storage.digest import Digest


@dataclass(frozen=True, slots=True)
class Accounts:
    """What signing in takes; there is none of it in open mode."""

    doorman: Doorman
    tokens: Tokens
    keys: KeyRing


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases and what they run on; one of these a process."""

    hot: HotReads
    heads: ManifestHeads
    manifests: Manifests
    blobs: Blobs
    uploads: Uploads
    listings: Listings
    access: Access
    bridge: Bridge
    pulls: Pulls
    redirects: Redirects
    accounts: Accounts | None = None


class Target:
    """What a path says, checked once however often the path is asked for.

    Raises: what the parsers raise, at the first use of a value.
    """

    def __init__(self, path: dict[str, str]) -> None:
        self.path = path
        self.name = RepositoryName.parse(path["name"]) if "name" in path else None

    @cached_property
    def digest(self) -> Digest:
        """The path's digest."""
        return Digest.parse(self.path["digest"])

    @cached_property
    def reference(self) -> Reference:
        """The path's tag or digest."""
        return parse_reference(self.path["reference"])


class Call:
    """One request to one endpoint."""

    __slots__ = ("_receive", "_request", "caller", "scope", "services", "target")

    def __init__(self, scope: Scope, receive: Receive, services: Services, caller: Caller, target: Target) -> None:
        self.scope = scope
        self.services = services
        self.caller = caller
        self.target = target
        self._receive = receive
        self._request: Request | None = None

    @property
    def request(self) -> Request:
        """Give the request as Starlette reads it; made when somebody asks."""
        if self._request is None:
            self._request = Request(self.scope, self._receive)
        return self._request

    @property
    def accounts(self) -> Accounts:
        """Give what signing in takes. Raises NOT_FOUND in open mode, where nobody does."""
        if self.services.accounts is None:
            raise RegistryError(ErrorCode.NOT_FOUND, "this registry runs in open mode, without accounts or tokens")
        return self.services.accounts

    @property
    def name(self) -> RepositoryName:
        """Give the repository that the path names."""
        if self.target.name is None:
            raise AssertionError("this endpoint's path names no repository")
        return self.target.name

    @property
    def digest(self) -> Digest:
        """Give the digest that the path names. Raises InvalidDigest."""
        return self.target.digest

    @property
    def reference(self) -> Reference:
        """Give the tag or digest that the path names. Raises InvalidTag or InvalidDigest."""
        return self.target.reference

    @property
    def by_digest(self) -> bool:
        """Tell whether the path names a manifest by its digest: no tag holds a colon."""
        return ":" in self.target.path["reference"]

    @property
    def known_reference(self) -> Reference:
        """Give the tag or digest to look up; what can be no tag was never pushed. Raises MANIFEST_UNKNOWN."""
        try:
            return self.target.reference
        except InvalidTag as error:
            raise RegistryError(ErrorCode.MANIFEST_UNKNOWN, f"no such tag: {error}") from None

    async def manifest(self) -> tuple[ManifestEntry, bytes]:
        """Look up the manifest that the path names. Raises MANIFEST_UNKNOWN, registry.catalog.errors.NotFound."""
        hot = self.services.hot
        if hot.inline:
            return hot.manifest(self.name, self.known_reference)
        return await self.services.bridge.sql.call(hot.manifest, self.name, self.known_reference)

    async def blob(self) -> Blob:
        """Look up the blob that the path names. Raises InvalidDigest, registry.catalog.errors.NotFound."""
        hot = self.services.hot
        if hot.inline:
            return hot.blob(self.name, self.digest)
        return await self.services.bridge.sql.call(hot.blob, self.name, self.digest)

    @property
    def session_id(self) -> str:
        """Give the upload session's id as the catalog writes it: the UUID without its dashes."""
        return self.target.path["session"].replace("-", "")

    def query(self, key: str) -> str | None:
        """Give a query parameter. Raises REQUEST_INVALID where it stands there twice."""
        values = self.request.query_params.getlist(key)
        if len(values) > 1:
            raise RegistryError(ErrorCode.REQUEST_INVALID, f"the query parameter {key} may stand there once only")
        return values[0] if values else None
