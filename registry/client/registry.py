"""One registry as its users see it: manifests and blobs, checked (distribution-spec, "Endpoints")."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from registry.client import downloads, lists, uploads
from registry.client.credentials import ANONYMOUS, Credentials
from registry.client.errors import Untrusted
from registry.client.limits import Limits
from registry.client.lists import Found
from registry.client.origins import Url
from registry.client.session import Session
from registry.client.transport import Answer
from registry.client.trust import CERTIFICATES
from registry.oci.descriptors import Descriptor
from registry.oci.mediatypes import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from registry.oci.names import Reference, RepositoryName, Tag
from storage.digest import Digest, InvalidDigest
from storage.hashing import Hasher

ACCEPT = (DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest's bytes, unread, whose digest was computed here and fits all that was said of it."""

    content: bytes
    media_type: str
    digest: Digest


class Registry:
    """A registry for one user. Safe from any thread; `close` ends its connections.

    Args:   host: host[:port]; insecure: plain HTTP and unknown certificates are taken (loopback always is);
            certificates: Docker's certs.d, or None.
    Raises: Unreachable where certs.d cannot be used; Untrusted where `host` is none. Asks nothing yet.
    """

    def __init__(
        self,
        host: str,
        credentials: Credentials = ANONYMOUS,
        *,
        insecure: bool = False,
        certificates: Path | None = CERTIFICATES,
        limits: Limits | None = None,
    ) -> None:
        self.host = host
        self._session = Session(
            host, credentials, insecure=insecure, certificates=certificates, limits=limits or Limits()
        )

    def __enter__(self) -> "Registry":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections that nobody uses; what is under way goes on."""
        self._session.transport.close()

    def sign_in(self) -> str:
        """Find out whether the credentials are taken (end-1).

        Returns: a token to be kept in place of the password, where the registry gives one; else "".
        Raises:  Answered 401; Unreachable, Untrusted.
        """
        with self._session.ask("GET", "/v2/", ()) as answer:
            if answer.status != 200:
                raise answer.error()
        return self._session.tokens.refresh_token

    def manifest(self, repository: RepositoryName, reference: Reference, accept: tuple[str, ...] = ACCEPT) -> Fetched:
        """Get a manifest (end-3).

        Raises: Answered; Untrusted where the bytes are not those of the digest asked for, or announced, or too many.
        """
        path = f"/v2/{repository}/manifests/{reference}"
        headers = {"Accept": ", ".join(accept)}
        with self._session.ask("GET", path, _pull(repository), headers=headers) as answer:
            if answer.status != 200:
                raise answer.error()
            content = answer.read(self._session.limits.manifest_size)
            media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
            announced = _announced(answer)
        expected = announced if isinstance(reference, Tag) else reference
        digest = Digest.of(content, expected.algorithm if expected else "sha256")
        for wanted in (expected, announced):
            if wanted is not None and wanted.algorithm == digest.algorithm and wanted != digest:
                raise Untrusted(f"manifest verification failed for digest {wanted}: the content is that of {digest}")
        return Fetched(content, media_type, digest)

    def head_manifest(self, repository: RepositoryName, reference: Reference) -> Descriptor | None:
        """Ask for a manifest's digest, type and size without its bytes (end-3); None where there is none.

        Raises: Answered; Untrusted where the answer does not say them.
        """
        path = f"/v2/{repository}/manifests/{reference}"
        headers = {"Accept": ", ".join(ACCEPT)}
        with self._session.ask("HEAD", path, _pull(repository), headers=headers) as answer:
            if answer.status == 404:
                return None
            if answer.status != 200:
                raise answer.error()
            digest = _announced(answer)
            length = answer.headers.get("Content-Length", "")
            if digest is None or not length.isdecimal():
                raise Untrusted(f"{self.host} does not say which manifest {reference} is")
            media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
            return Descriptor(media_type, digest, int(length))

    def put_manifest(self, repository: RepositoryName, reference: Reference, content: bytes, media_type: str) -> Digest:
        """Put a manifest under a tag or its digest (end-7). Raises: Answered."""
        path = f"/v2/{repository}/manifests/{reference}"
        headers = {"Content-Type": media_type, "Content-Length": str(len(content))}
        with self._session.ask("PUT", path, _push(repository), headers=headers, body=lambda: [content]) as answer:
            if answer.status != 201:
                raise answer.error()
        return Digest.of(content)

    def blob(self, repository: RepositoryName, descriptor: Descriptor) -> Iterator[bytes]:
        """Give a blob in blocks, the last of them once all of it has been checked.

        Raises: Untrusted where bytes or size are not those of the descriptor; Answered; Interrupted.
        """
        hasher = Hasher(descriptor.digest.algorithm)
        held = b""
        for block in downloads.read(self._session, repository, descriptor, 0):
            hasher.update(block)
            if held:
                yield held
            held = block
        if hasher.digest() != descriptor.digest:
            raise Untrusted(f"filesystem layer verification failed for digest {descriptor.digest}")
        if held:
            yield held

    def blob_from(self, repository: RepositoryName, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """Give a blob's bytes from an offset, as many as announced; who has the bytes before checks the digest."""
        return downloads.read(self._session, repository, descriptor, offset)

    def small_blob(self, repository: RepositoryName, descriptor: Descriptor) -> bytes:
        """Read a configuration. Raises as `blob`; Untrusted where it is too large for a document."""
        content = downloads.whole(self._session, repository, descriptor)
        if Digest.of(content, descriptor.digest.algorithm) != descriptor.digest:
            raise Untrusted(f"image config verification failed for digest {descriptor.digest}")
        return content

    def has_blob(self, repository: RepositoryName, descriptor: Descriptor, actions: str = "pull") -> bool:
        """Ask whether a blob is there for this user; `actions`: what the user is about to do. Raises Answered."""
        return downloads.exists(self._session, repository, descriptor, actions)

    def mount(self, repository: RepositoryName, descriptor: Descriptor, source: RepositoryName) -> Url | None:
        """Ask for another repository's blob; None where it is here now, else where `push_blob` goes on."""
        return uploads.mount(self._session, repository, descriptor, source)

    def push_blob(
        self, repository: RepositoryName, descriptor: Descriptor, source: uploads.Source, place: Url | None = None
    ) -> None:
        """Send a blob, whose bytes from an offset on `source` gives. Raises: Answered, Untrusted, Interrupted."""
        uploads.push(self._session, repository, descriptor, source, place)

    def tags(self, repository: RepositoryName) -> list[Tag]:
        """Give every tag of a repository. Raises: Answered, Untrusted."""
        return lists.tags(self._session, repository)

    def search(self, term: str, limit: int) -> list[Found]:
        """Find repositories by a word. Raises: Answered, Untrusted."""
        return lists.search(self._session, term, limit)


def _pull(repository: RepositoryName) -> tuple[str, ...]:
    return (f"repository:{repository}:pull",)


def _push(repository: RepositoryName) -> tuple[str, ...]:
    return (f"repository:{repository}:pull,push",)


def _announced(answer: Answer) -> Digest | None:
    """Read the digest that the registry says. Raises Untrusted where it is none."""
    text = answer.headers.get("Docker-Content-Digest")
    try:
        return Digest.parse(text) if text else None
    except InvalidDigest:
        raise Untrusted(f"{answer.url.origin} announces a digest that is none: {text!a:.100}") from None
