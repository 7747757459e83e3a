"""Headers of proxies count where a trusted proxy sent them, and are air where anybody else did.

Against real servers: realm, throttle and trail follow the connection, unless a trusted proxy says otherwise; a Host
that is none gets a clear refusal on every engine.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.access.live import Live, live
from tests.access.world import PASSWORD, basic
from tests.parts.server import Engine

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SPOOFED = {
    "x-forwarded-for": "203.0.113.66",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "https",
    "x-real-ip": "203.0.113.66",
    "forwarded": "for=203.0.113.66;host=evil.example;proto=https",
    "x-forwarded-port": "443",
    "x-client-ip": "203.0.113.66",
}


@pytest.fixture(scope="module", params=["uvicorn", "granian"])
def open_sea(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that trusts no proxy."""
    engine: Engine = request.param
    with live(tmp_path_factory.mktemp(f"open-{engine}"), workers=1, engine=engine) as running:
        running.accounts.user("ada")
        yield running


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that trusts this machine and 10.0.0.0/8."""
    with live(tmp_path_factory.mktemp("behind"), workers=1, SERVER__TRUSTED_PROXIES="127.0.0.1,10.0.0.0/8") as running:
        running.accounts.user("ada")
        yield running


def realm(running: Live, **headers: str) -> str:
    """Give where clients are sent for a token."""
    reply = running.call("GET", "/v2/", {name.replace("_", "-"): value for name, value in headers.items()})
    assert reply.status == 401
    return reply.headers["www-authenticate"].partition('realm="')[2].partition('"')[0]


def noted(running: Live, request_id: str) -> dict[str, str]:
    """Give a request's line in the trail."""
    for _ in range(50):
        for line in running.trail().splitlines():
            event: dict[str, str] = json.loads(line)
            if event.get("request_id") == request_id:
                return event
        time.sleep(0.05)
    raise AssertionError(running.trail()[-2000:])


def logged(running: Live, request_id: str) -> str:
    """Give a request's line in the log."""
    for _ in range(50):
        for line in running.log().splitlines():
            if request_id in line:
                return line
        time.sleep(0.05)
    raise AssertionError(running.log()[-2000:])


def test_untrusted_headers_change_no_realm(open_sea: Live) -> None:
    host = open_sea.server.host
    reply = open_sea.call("GET", "/v2/", SPOOFED)
    assert reply.headers["www-authenticate"] == f'Bearer realm="http://{host}/token",service="moorage"'


def test_untrusted_headers_change_no_trail(open_sea: Live) -> None:
    headers = {**basic("ada", PASSWORD), **SPOOFED, "x-request-id": "spoofed-1"}
    assert open_sea.call("GET", "/token", headers).status == 200
    assert noted(open_sea, "spoofed-1")["address"] == "127.0.0.1"
    assert "203.0.113.66" not in open_sea.log() + open_sea.trail()
    with open_sea.accounts.catalog.read() as tx:
        assert tx.accounts.get("ada").login_network == "127.0.0.1"


def test_untrusted_headers_are_no_way_around_the_throttle(open_sea: Live) -> None:
    statuses = [
        open_sea.call("GET", "/token", {**basic("eve", "wrong"), "x-forwarded-for": f"198.51.100.{number}"}).status
        for number in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2
    open_sea.accounts.forgive()


def test_a_trusted_proxy_says_who_and_where(behind: Live) -> None:
    assert realm(behind, X_Forwarded_Host="registry.example", X_Forwarded_Proto="https") == (
        "https://registry.example/token"
    )
    headers = {**basic("ada", PASSWORD), "x-forwarded-for": "192.0.2.200", "x-request-id": "proxied-1"}
    assert behind.call("GET", "/token", headers).status == 200
    assert noted(behind, "proxied-1")["address"] == "192.0.2.200"


CHAINS = {
    "192.0.2.1": "192.0.2.1",
    "6.6.6.6, 192.0.2.2": "192.0.2.2",  # what a client wrote itself stands before what the proxy added
    "127.0.0.1, 192.0.2.3, 10.1.2.3": "192.0.2.3",
    "6.6.6.6, 10.0.0.1": "6.6.6.6",  # through two proxies of ours
    "10.0.0.9, 10.0.0.1": "10.0.0.9",
    "junk, 10.0.0.1": "127.0.0.1",  # nobody can say, so the proxy itself
    "": "127.0.0.1",
    " , ,": "127.0.0.1",
    "192.0.2.4:1234": "127.0.0.1",
    "2001:db8::5": "2001:db8::5",
    "[2001:db8::5]:80": "127.0.0.1",
    "fe80::1%eth0": "fe80::1",
    'fe80::1%" status=200 x="': "fe80::1",
    "fe80::1%\x1b[31mred, 10.0.0.1": "127.0.0.1",
    "unknown": "127.0.0.1",
    "0177.0.0.1": "127.0.0.1",
    "1.2.3": "127.0.0.1",
    ", ".join(["6.6.6.6"] * 40 + ["10.0.0.1"] * 30): "10.0.0.1",
}


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain[:30].encode("unicode_escape").decode() or "nothing")
def test_of_a_chain_the_last_that_is_no_proxy_of_ours_counts(behind: Live, chain: str) -> None:
    request_id = f"chain-{abs(hash(chain))}"
    headers = {**basic("ada", PASSWORD), "x-forwarded-for": chain, "x-request-id": request_id}
    assert behind.call("GET", "/token", headers).status in (200, 400)
    if not chain.isprintable():
        assert chain not in behind.log() + behind.trail()
        return
    assert noted(behind, request_id)["address"] == CHAINS[chain]
    assert f" client={CHAINS[chain]} " in logged(behind, request_id)


def test_networks_of_ipv6_count_as_one(behind: Live) -> None:
    """Whoever has a /64 has all of its addresses."""
    statuses = [
        behind.call("GET", "/token", {**basic("eve", "wrong"), "x-forwarded-for": f"2001:db8:1:2::{number:x}"}).status
        for number in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2
    behind.accounts.forgive()


@pytest.mark.parametrize("host", ["evil.example/", 'a",realm="b', "a, b", "a b", "-", "", "a\tb"])
def test_what_a_proxy_gives_for_a_host_is_checked_too(behind: Live, host: str) -> None:
    reply = behind.call("GET", "/v2/", {"x-forwarded-host": host})
    assert reply.status in (400, 401)
    assert "evil" not in reply.headers.get("www-authenticate", "")
    if reply.status == 401:
        assert reply.headers["www-authenticate"].startswith(f'Bearer realm="http://{behind.server.host}/token"')


@pytest.mark.parametrize("scheme", ["ftp", "javascript", "https,http", "HTTPS ", ""])
def test_what_a_proxy_gives_for_a_scheme_is_checked_too(behind: Live, scheme: str) -> None:
    found = realm(behind, X_Forwarded_Proto=scheme)
    assert found == f"{'https' if scheme == 'HTTPS ' else 'http'}://{behind.server.host}/token"


HEADS = {
    "no Host": b"",
    "two Hosts": b"host: a.example\r\nhost: b.example\r\n",
    "two equal Hosts": b"host: a.example\r\nhost: a.example\r\n",
    "an empty Host": b"host:\r\n",
    "a user in Host": b"host: user@evil.example\r\n",
    "a path in Host": b"host: evil.example/x\r\n",
    "a quote in Host": b'host: evil.example"\r\n',
    "a tab in Host": b"host: evil\texample\r\n",
    "not ASCII": b"host: \xe4.example\r\n",
    "a fold": b"host: a.example\r\n evil.example\r\n",
    "a long Host": b"host: " + b"evil" * 100 + b"\r\n",
}


@pytest.mark.parametrize("head", HEADS)
def test_what_is_no_host_is_not_echoed_by_any_engine(open_sea: Live, head: str) -> None:
    with socket.create_connection(("127.0.0.1", open_sea.server.port), timeout=20) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\n" + HEADS[head] + b"connection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    status = int(answer[9:12]) if answer else 400
    assert status in (400, 401, 431)
    assert b"evil" not in answer
    if status == 401:
        assert b'realm="http://a.example/token"' in answer
        assert head in ("two Hosts", "two equal Hosts")


def test_an_absolute_request_line_names_no_realm_of_its_own(open_sea: Live) -> None:
    """What it says counts for Host, or nothing does; never a mixture (RFC 9112, 3.2.2)."""
    host = open_sea.server.host.encode()
    with socket.create_connection(("127.0.0.1", open_sea.server.port), timeout=20) as connection:
        connection.sendall(b"GET http://evil.example/v2/ HTTP/1.1\r\nhost: " + host + b"\r\nconnection: close\r\n\r\n")
        answer = connection.recv(65536)
    assert int(answer[9:12]) in (400, 401, 404)
    assert b'realm="http://evil' not in answer
