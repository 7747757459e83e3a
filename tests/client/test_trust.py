"""TLS: whom the client trusts, as whom it comes, and that nothing leads from TLS to plain HTTP.

Loopback is always insecure, so the registry is called by another name of this machine where trust is what is tested.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.client import trust
from registry.client.credentials import Credentials
from registry.client.errors import ClientError, Interrupted, Unreachable, Untrusted
from registry.client.limits import Limits
from registry.client.origins import Url, origin_of
from registry.client.registry import Registry
from registry.client.transport import Transport
from registry.oci.names import RepositoryName, Tag
from tests.client.certificates import Authority, make_authority
from tests.runtime.images.hostile_registry import PLACE, TAG, HostileRegistry, answer, hostile_registry

SIGNED_IN = Credentials("somebody", "secret")
LIMITS = Limits(connect=3, head=2, document=2)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(authority: Authority) -> Iterator[HostileRegistry]:
    """A registry that speaks TLS."""
    with hostile_registry(authority.server()) as server:
        yield server


def ping(context: ssl.SSLContext, server: HostileRegistry) -> int:
    """Ask for /v2/ with that trust; the status."""
    transport = Transport(LIMITS, context, trust.context(None, verify=True), server.host)
    try:
        with transport.send("GET", Url(origin_of("https", server.host), "/v2/"), {}) as given:
            return given.status
    finally:
        transport.close()


def test_an_unknown_authority_is_not_trusted(secure: HostileRegistry) -> None:
    with pytest.raises(Unreachable, match="tls: failed to verify certificate: x509: "):
        ping(trust.context(None, verify=True), secure)


def test_an_authority_of_certs_d_is_trusted(secure: HostileRegistry, authority: Authority, tmp_path: Path) -> None:
    shutil.copy(authority.ca, tmp_path / "ca.crt")
    assert ping(trust.context(tmp_path, verify=True), secure) == 200
    assert ping(trust.context(None, verify=False), secure) == 200


def test_an_authority_of_one_registry_is_none_of_another(
    secure: HostileRegistry, authority: Authority, tmp_path: Path
) -> None:
    shutil.copy(authority.ca, tmp_path / "ca.crt")
    own = trust.context(tmp_path, verify=True)
    transport = Transport(LIMITS, own, trust.context(None, verify=True), "registry.example.org:5000")
    with (
        pytest.raises(Unreachable, match="failed to verify"),
        transport.send("GET", Url(origin_of("https", secure.host), "/v2/"), {}),
    ):
        raise AssertionError("it was trusted")


def test_the_client_comes_with_its_certificate(authority: Authority, tmp_path: Path) -> None:
    shutil.copy(authority.ca, tmp_path / "ca.crt")
    with hostile_registry(authority.server(ask=True)) as server:
        with pytest.raises(ClientError):
            ping(trust.context(tmp_path, verify=True), server)
        shutil.copy(authority.certificate, tmp_path / "client.cert")
        shutil.copy(authority.key, tmp_path / "client.key")
        assert ping(trust.context(tmp_path, verify=True), server) == 200


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.cert"], "missing key a.key for client certificate a.cert"),
        (["a.key"], "missing client certificate a.cert for key a.key"),
        (["a.crt"], "a.crt cannot be used"),
        (["a.cert", "a.key"], "a.cert cannot be used"),
    ],
)
def test_certs_d_that_cannot_be_used(names: list[str], said: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(Unreachable, match=said):
        trust.context(tmp_path, verify=True)


def test_no_certs_d_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "absent", tmp_path / "file"):
        assert trust.context(directory, verify=True).verify_mode is ssl.CERT_REQUIRED
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(Unreachable, match="cannot be read"):
        trust.context(loop, verify=True)


def test_insecure_registries_may_speak_tls_or_not(secure: HostileRegistry) -> None:
    with Registry(secure.host, SIGNED_IN, certificates=None, limits=LIMITS) as registry:
        assert registry.manifest(RepositoryName("team/app"), Tag(TAG)).content == secure.contents.manifest
    with hostile_registry() as plain, Registry(plain.host, certificates=None, limits=LIMITS) as registry:
        assert registry.sign_in() == ""


def test_another_host_has_to_speak_tls() -> None:
    with hostile_registry() as plain:
        transport = Transport(LIMITS, trust.context(None, verify=True), trust.context(None, verify=True), plain.host)
        with (
            pytest.raises((Unreachable, Interrupted)),
            transport.send("GET", Url(origin_of("https", plain.host), "/v2/"), {}),
        ):
            raise AssertionError("it was no TLS")
        assert plain.requests == []


def test_a_registry_that_answers_plainly_to_tls_is_named_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        tls = trust.context(None, verify=True)

        def answer_once() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n" * 10)
                connection.recv(4096)

        thread = threading.Thread(target=answer_once)
        thread.start()
        transport = Transport(LIMITS, tls, tls, host)
        with (
            pytest.raises(Unreachable, match="server gave HTTP response to HTTPS client"),
            transport.send("GET", Url(origin_of("https", host), "/v2/"), {}),
        ):
            raise AssertionError("it was no TLS")
        thread.join(10)


def test_tls_does_not_lead_to_plain_http(secure: HostileRegistry) -> None:
    with hostile_registry() as plain:
        secure.table["GET", f"{PLACE}/manifests/{TAG}"] = answer(307, location=f"{plain.url}/x")
        with (
            Registry(secure.host, SIGNED_IN, certificates=None, limits=LIMITS) as registry,
            pytest.raises(Untrusted, match="redirects from TLS to plain HTTP"),
        ):
            registry.manifest(RepositoryName("team/app"), Tag(TAG))
        assert plain.requests == []
