"""Reverse proxies: those that are trusted are believed, and nobody else is."""

import asyncio
from typing import Any

import pytest

from registry.edge.forwarded import Forwarded

Header = tuple[bytes, bytes]


def seen(trusted: list[str], peer: tuple[str, int] | None, *headers: Header) -> dict[str, Any]:
    """Give the scope that the app gets."""
    got: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.update(scope)

    scope = {"type": "http", "client": peer, "scheme": "http", "headers": [(b"host", b"inner:5000"), *headers]}
    asyncio.run(Forwarded(app, trusted)(scope, None, None))  # type: ignore[arg-type]  # the app uses neither
    return got


FOR = b"x-forwarded-for"
PROXY = ("10.0.0.1", 1)


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (b"192.0.2.7", "192.0.2.7"),
        (b"203.0.113.9, 192.0.2.7", "192.0.2.7"),  # the client wrote the first itself
        (b"203.0.113.9, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (b"2001:db8::1", "2001:db8::1"),
        (b"10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (b"192.0.2.7, rubbish", "10.0.0.1"),
        (b"rubbish, 192.0.2.7", "192.0.2.7"),
        (b"", "10.0.0.1"),
        (b"fe80::1%eth0", "fe80::1"),
        (b'fe80::1%" status=200 x="', "fe80::1"),  # a zone is any text
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(chain: bytes, client: str) -> None:
    assert seen(["10.0.0.0/8"], PROXY, (FOR, chain))["client"][0] == client


def test_several_lines_are_one_list() -> None:
    scope = seen(["10.0.0.0/8"], PROXY, (FOR, b"203.0.113.9"), (FOR, b"192.0.2.7"))
    assert scope["client"][0] == "192.0.2.7"


def test_scheme_and_host_are_the_clients() -> None:
    scope = seen(["10.0.0.0/8"], PROXY, (b"x-forwarded-proto", b"HTTPS"), (b"x-forwarded-host", b"hub.example"))
    assert scope["scheme"] == "https"
    assert [value for name, value in scope["headers"] if name == b"host"] == [b"hub.example"]
    assert seen(["10.0.0.0/8"], PROXY, (b"x-forwarded-proto", b"gopher"))["scheme"] == "http"


@pytest.mark.parametrize("peer", [("192.0.2.1", 1), ("not an address", 1), None])
def test_nobody_else_is_believed(peer: tuple[str, int] | None) -> None:
    headers = ((FOR, b"203.0.113.9"), (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"evil.example"))
    scope = seen(["10.0.0.0/8"], peer, *headers)
    assert (scope["client"], scope["scheme"]) == (peer, "http")
    assert (b"host", b"inner:5000") in scope["headers"]


def test_a_unix_socket_is_trusted_where_the_settings_say_so() -> None:
    assert seen(["unix"], None, (FOR, b"192.0.2.7"))["client"] == ("192.0.2.7", 0)
    assert seen(["10.0.0.0/8"], None, (FOR, b"192.0.2.7"))["client"] is None


def test_a_lifespan_passes() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"

    asyncio.run(Forwarded(app, ["10.0.0.0/8"])({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
