"""The reverse-proxy configurations in deploy/, run as they are before a real server with accounts.

What breaks registries behind proxies is looked for: a layer that is refused for its size, one that lies on the proxy's
disk or in its memory before it goes on, addresses that lead past the proxy, a client that speaks in the proxy's name.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import time
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from tests.access.world import basic
from tests.parts.commands import run, wait_until
from tests.parts.images import MEBIBYTE, Layout, one_layer_image
from tests.parts.reverse_proxies import Name, ReverseProxy, start_proxy
from tests.parts.server import ADMIN_PASSWORD, RunningServer, free_port, start_moorage
from tests.parts.tools import require

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LARGE = 300 * MEBIBYTE
MOST_MEMORY = 128 * MEBIBYTE  # of one process of the proxy; a layer that it held would be twice that
HALF = 32 * MEBIBYTE
IN_FLIGHT = 24 * MEBIBYTE  # what may lie in buffers of sockets and processes on the way
ADMIN = basic("admin", ADMIN_PASSWORD)
OCTETS = {**ADMIN, "Content-Type": "application/octet-stream"}
UPLOADS = "/v2/proxied/app/blobs/uploads/"
SPOOFED = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "ftp", "X-Forwarded-For": "203.0.113.66"}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with accounts that believes a proxy on 127.0.0.1."""
    trusted = {"MOORAGE_SERVER__TRUSTED_PROXIES": "127.0.0.1"}
    data = tmp_path_factory.mktemp("origin") / "data"
    with start_moorage(data, workers=2, accounts=True, environment=trusted) as running:
        yield running


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, origin: RunningServer) -> Iterator[ReverseProxy]:
    """A proxy before it."""
    name: Name = request.param
    with start_proxy(name, [origin.port]) as running:
        yield running


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A layout with one image of one large layer, and that layer's digest; removed when its tests are done."""
    path = tmp_path_factory.mktemp("large") / "layout"
    one_layer_image(Layout(path), "large", LARGE)
    blobs = sorted((path / "blobs" / "sha256").iterdir(), key=lambda blob: blob.stat().st_size)
    yield path, f"sha256:{blobs[-1].name}"
    for blob in blobs:
        blob.unlink()


@contextlib.contextmanager
def connected(proxy: ReverseProxy, source: str = "127.0.0.1") -> Iterator[http.client.HTTPConnection]:
    """A connection of a client's."""
    if proxy.scheme == "https":
        trust = ssl.create_default_context(cafile=proxy.certificates / "ca.crt")
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", proxy.port, timeout=60, source_address=(source, 0), context=trust
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60, source_address=(source, 0))
    try:
        yield connection
    finally:
        connection.close()


def opened(connection: http.client.HTTPConnection) -> str:
    """Open an upload and give its Location."""
    connection.request("POST", UPLOADS, headers=OCTETS | {"Content-Length": "0"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 202
    return answer.headers["location"]


def test_a_large_layer_passes_by_a_real_client(
    proxy: ReverseProxy, origin: RunningServer, large: tuple[Path, str], tmp_path: Path
) -> None:
    """Token and uploads at the addresses that the registry names; and back, by a client that stops on its way."""
    layout, digest = large
    logins = tmp_path / "auth.json"
    logins.write_text("{}")
    skopeo = partial(run, require("skopeo"), "--insecure-policy", environment={"REGISTRY_AUTH_FILE": str(logins)})
    secure = ("--dest-tls-verify=false",) if proxy.scheme == "http" else (f"--dest-cert-dir={proxy.certificates}",)
    repository = f"proxied/{proxy.name}"
    target = f"docker://{proxy.host}/{repository}:large"
    skopeo("copy", "--preserve-digests", *secure, f"--dest-creds=admin:{ADMIN_PASSWORD}", f"oci:{layout}:large", target)

    with connected(proxy) as connection:
        connection.request("GET", f"/v2/{repository}/blobs/{digest}", headers=ADMIN)
        answer = connection.getresponse()
        found = sha256(answer.read(MEBIBYTE))
        assert answer.status == 200
        # With buffering on, the rest is in a file within milliseconds of the first byte; this is no test of speed.
        assert max(_watched(proxy)) == 0
        while piece := answer.read(MEBIBYTE):
            found.update(piece)
    assert f"sha256:{found.hexdigest()}" == digest
    assert proxy.peak_memory() < MOST_MEMORY


def _watched(proxy: ReverseProxy) -> Iterator[int]:
    for _ in range(20):
        yield proxy.spooled()
        time.sleep(0.05)


def test_an_upload_reaches_the_server_while_it_is_sent(proxy: ReverseProxy, origin: RunningServer) -> None:
    content = bytes(2 * HALF)
    with connected(proxy) as connection:
        location = opened(connection)
        uploads = origin.data / "uploads"
        connection.putrequest("PATCH", location)
        for name, value in (OCTETS | {"Content-Length": str(len(content))}).items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(content[:HALF])
        wait_until(lambda: _size_below(uploads) >= HALF - IN_FLIGHT, "half an upload on its way", origin.log)
        assert proxy.spooled() == 0
        connection.send(content[HALF:])
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["range"]) == (202, f"0-{len(content) - 1}")
        connection.request("DELETE", answer.headers["location"], headers=ADMIN)
        assert connection.getresponse().status == 204


def _size_below(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def test_where_a_client_is_sent_is_behind_the_proxy(proxy: ReverseProxy) -> None:
    with connected(proxy) as connection:
        assert opened(connection).startswith(UPLOADS)  # relative: the client stays with whom it has asked
        for headers in ({}, SPOOFED):
            connection.request("GET", "/v2/", headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert f'realm="{proxy.address}/token"' in answer.headers["www-authenticate"]


def test_the_log_has_the_client_s_address(proxy: ReverseProxy, origin: RunningServer) -> None:
    with connected(proxy, source="127.0.0.9") as connection:
        name = f"who-{proxy.name}"
        connection.request("GET", "/v2/", headers={**SPOOFED, "X-Request-Id": name})
        connection.getresponse().read()
    wait_until(lambda: name in origin.log.read_text(), "a line in the log", origin.log)
    (line,) = (line for line in origin.log.read_text().splitlines() if name in line)
    assert " client=127.0.0.9 " in line


def test_a_body_that_waits_for_a_word_gets_it(proxy: ReverseProxy) -> None:
    """RFC 9110, 10.1.1: docker and curl send large bodies only after 100 Continue, or after a second."""
    with connected(proxy) as connection:
        location = opened(connection)
        connection.putrequest("PATCH", location)
        for name, value in (OCTETS | {"Content-Length": "5", "Expect": "100-continue"}).items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.sock.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.send(b"hello")
        assert connection.getresponse().status == 202


@pytest.mark.parametrize("name", ["nginx", "caddy"])
def test_a_replica_that_is_away_is_passed_over(name: Name, origin: RunningServer) -> None:
    """Whatever the request: nothing of it has reached anybody."""
    with start_proxy(name, [free_port(), origin.port]) as proxy:
        for _ in range(6):
            with connected(proxy) as connection:
                location = opened(connection)
                connection.request("PATCH", location, bytes(MEBIBYTE), OCTETS)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 202
                connection.request("DELETE", answer.headers["location"], headers=ADMIN)
                assert connection.getresponse().status == 204


@pytest.mark.parametrize("name", ["nginx", "caddy"])
def test_without_any_replica_clients_are_told_to_wait(name: Name) -> None:
    short = {"MOORAGE_WAIT": "1s"}
    with start_proxy(name, [free_port()], environment=short) as proxy, connected(proxy) as connection:
        connection.request("GET", "/v2/")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert answer.headers["content-type"] == "application/json"
        assert b'"code":"UNAVAILABLE"' in answer.read()


def test_caddy_holds_requests_while_the_only_replica_is_restarted(tmp_path: Path) -> None:
    with (
        start_moorage(tmp_path / "data") as server,
        start_proxy("caddy", [server.port], environment={"MOORAGE_WAIT": "60s"}) as proxy,
        connected(proxy) as connection,
    ):
        server.stop()
        connection.request("GET", "/v2/")
        server.start()
        assert connection.getresponse().status == 200
