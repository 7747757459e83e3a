"""Signing in and being sent about, at servers that ask in every way there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.client.credentials import Credentials
from registry.client.errors import Answered, Untrusted
from registry.client.limits import Limits
from registry.client.registry import Registry
from registry.oci.names import RepositoryName, Tag
from tests.runtime.images.hostile_registry import PLACE, TAG, HostileRegistry, answer, document, hostile_registry

HERE, ONE = RepositoryName("team/app"), Tag(TAG)
LIMITS = Limits(connect=2, head=2, document=2, attempts=2, pause=0)
MANIFEST = f"{PLACE}/manifests/{TAG}"
BASIC = answer(401, www_authenticate='Basic realm="here"')


@pytest.fixture
def server() -> Iterator[HostileRegistry]:
    """A registry."""
    with hostile_registry() as running:
        yield running


def client(server: HostileRegistry, credentials: Credentials) -> Registry:
    """Its client."""
    return Registry(server.host, credentials, certificates=None, limits=LIMITS)


def test_basic_is_sent_once_it_is_asked_for(server: HostileRegistry) -> None:
    with client(server, Credentials("a", "b")) as registry:
        registry.manifest(HERE, ONE)
        assert server.shown == []  # nobody asked
        good = server.table["GET", MANIFEST]
        server.table["GET", "/v2/"] = BASIC
    with client(server, Credentials("a", "b")) as registry:
        server.table["GET", MANIFEST] = good
        registry.manifest(HERE, ONE)
    assert server.shown == ["Basic YTpi"]


def test_basic_that_is_not_taken_is_not_sent_twice(server: HostileRegistry) -> None:
    server.table |= {("GET", "/v2/"): BASIC, ("GET", MANIFEST): BASIC}
    with client(server, Credentials("a", "b")) as registry, pytest.raises(Answered, match="authentication required"):
        registry.manifest(HERE, ONE)
    assert server.shown == ["Basic YTpi"]


def test_nobody_has_no_basic(server: HostileRegistry) -> None:
    server.table["GET", MANIFEST] = BASIC
    with client(server, Credentials()) as registry, pytest.raises(Answered, match="no basic auth credentials"):
        registry.manifest(HERE, ONE)


def test_a_registry_token_is_sent_as_it_is(server: HostileRegistry) -> None:
    with client(server, Credentials(registry_token="abc")) as registry:
        registry.manifest(HERE, ONE)
    assert set(server.shown) == {"Bearer abc"}


def test_a_challenge_that_comes_late_is_met(server: HostileRegistry) -> None:
    server.lock(f"{server.url}/token")
    server.table |= {("GET", "/v2/"): document({}), ("GET", "/token"): document({"token": "t"})}
    with client(server, Credentials("a", "b")) as registry:
        registry.manifest(HERE, ONE)
    assert server.shown == ["Basic YTpi", "Bearer t"]


def test_a_token_that_is_not_taken_is_renewed_once(server: HostileRegistry) -> None:
    server.lock(f"{server.url}/token")
    refusal = server.table["GET", "/v2/"]
    server.table |= {("GET", MANIFEST): refusal, ("GET", "/token"): document({"token": "t"})}
    with client(server, Credentials("a", "b")) as registry, pytest.raises(Answered, match=r"^unauthorized: no$"):
        registry.manifest(HERE, ONE)
    assert server.shown.count("Bearer t") == 2


def test_a_redirect_within_the_registry_keeps_who_asks(server: HostileRegistry) -> None:
    server.lock(f"{server.url}/token")
    server.table |= {
        ("GET", "/token"): document({"token": "t"}),
        ("GET", "/moved"): server.table["GET", MANIFEST],
        ("GET", MANIFEST): answer(308, location="/moved"),
    }
    with client(server, Credentials("a", "b")) as registry:
        assert registry.manifest(HERE, ONE).content == server.contents.manifest
    assert server.shown == ["Basic YTpi", "Bearer t", "Bearer t"]


def test_a_redirect_that_comes_back_is_nobodys(server: HostileRegistry) -> None:
    with hostile_registry() as elsewhere:
        server.lock(f"{server.url}/token")
        elsewhere.table["GET", "*"] = answer(307, location=f"{server.url}/secret")
        server.table |= {
            ("GET", "/token"): document({"token": "t"}),
            ("GET", MANIFEST): answer(307, location=f"{elsewhere.url}/x"),
            ("GET", "/secret"): answer(200, server.contents.manifest),
        }
        with client(server, Credentials("a", "b")) as registry:
            registry.manifest(HERE, ONE)
        assert elsewhere.shown == []
    last = server.requests[-1]
    assert (last.path, "authorization" in last.headers) == ("/secret", False)


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1:1", "[::1]:1", "0.0.0.0"])
def test_a_registry_elsewhere_does_not_lead_into_this_machine(host: str, server: HostileRegistry) -> None:
    with client(server, Credentials()) as registry:
        session = registry._session
        remote = session.origin.__class__("http", "registry.example.org", 80)
        session._origin = remote
        session.transport._pools[remote] = session.transport._pools[type(remote)("http", *split(server.host))]
        server.table["GET", MANIFEST] = answer(307, location=f"http://{host}/x")
        with pytest.raises(Untrusted, match="redirects into this machine"):
            registry.manifest(HERE, ONE)


def split(host: str) -> tuple[str, int]:
    """A host's name and port."""
    name, _, port = host.rpartition(":")
    return name, int(port)


def test_what_is_no_registry(server: HostileRegistry) -> None:
    server.table["GET", "/v2/"] = answer(404, b"<html>")
    with client(server, Credentials()) as registry, pytest.raises(Answered, match="404"):
        registry.sign_in()
    for host in ("", "a b", "user@host", "host/path?", "host#x"):
        with pytest.raises(Untrusted):
            Registry(host or "@", certificates=None)
