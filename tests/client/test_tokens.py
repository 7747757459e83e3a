"""Tokens: whom the credentials are shown, how long tokens last, and what is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from registry.client import trust
from registry.client.credentials import Credentials
from registry.client.errors import Answered, Untrusted
from registry.client.limits import Limits
from registry.client.origins import Origin, origin_of
from registry.client.tokens import Tokens, check_realm
from registry.client.transport import Transport
from tests.runtime.images.hostile_registry import HostileRegistry, answer, document, hostile_registry

PASSWORD = Credentials("somebody", "secret")
SCOPES = ("repository:a/b:pull", "repository:c/d:pull,push")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def realm() -> Iterator[HostileRegistry]:
    """A token server."""
    with hostile_registry() as server:
        yield server


def tokens_at(realm: HostileRegistry, credentials: Credentials, clock: Clock) -> tuple[Tokens, Origin, dict[str, str]]:
    """A client of the token server."""
    limits = Limits()
    tls = trust.context(None, verify=True)
    tokens = Tokens(Transport(limits, tls, tls, realm.host), credentials, limits, clock)
    return tokens, origin_of("http", realm.host), {"realm": f"{realm.url}/token?a=1", "service": "s s"}


def test_a_token_is_asked_for_with_basic_and_kept_while_it_lasts(realm: HostileRegistry) -> None:
    clock = Clock()
    tokens, registry, parameters = tokens_at(realm, PASSWORD, clock)
    realm.table["GET", "/token"] = document({"token": "one", "expires_in": 100})
    assert [tokens.get(registry, parameters, SCOPES) for _ in range(3)] == ["one"] * 3
    assert len(realm.requests) == 1
    fields = parse_qs(realm.requests[0].target.partition("?")[2])
    assert fields == {"a": ["1"], "service": ["s s"], "scope": list(SCOPES), "account": ["somebody"]}
    assert realm.requests[0].headers["authorization"].startswith("Basic ")
    realm.table["GET", "/token"] = document({"access_token": "two"})
    assert tokens.get(registry, parameters, SCOPES[:1]) == "two"
    clock.now += 96
    assert tokens.get(registry, parameters, SCOPES) == "two"
    tokens.forget(SCOPES, "another")
    assert len(realm.requests) == 3
    tokens.forget(SCOPES, "two")
    tokens.get(registry, parameters, SCOPES)
    assert len(realm.requests) == 4


def test_nobody_is_anonymous(realm: HostileRegistry) -> None:
    tokens, registry, parameters = tokens_at(realm, Credentials(), Clock())
    realm.table["GET", "/token"] = document({"token": "open"})
    assert tokens.get(registry, parameters, SCOPES) == "open"
    assert realm.shown == []


def test_an_identity_token_is_posted(realm: HostileRegistry) -> None:
    tokens, registry, parameters = tokens_at(realm, Credentials("x", identity_token="identity"), Clock())
    realm.table["POST", "/token"] = document({"access_token": "fresh", "refresh_token": "next"})
    assert tokens.get(registry, parameters, SCOPES) == "fresh"
    assert tokens.refresh_token == "next"
    form = parse_qs(realm.requests[0].body.decode())
    assert form["grant_type"] == ["refresh_token"] and form["refresh_token"] == ["identity"]
    assert "authorization" not in realm.requests[0].headers


def test_refusals_are_told(realm: HostileRegistry) -> None:
    tokens, registry, parameters = tokens_at(realm, PASSWORD, Clock())
    realm.table["GET", "/token"] = document({"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]}, 401)
    with pytest.raises(Answered, match=r"^unauthorized: wrong password$"):
        tokens.get(registry, parameters, SCOPES)
    realm.table["GET", "/token"] = answer(503, b"busy")
    with pytest.raises(Answered, match=r"unexpected status from http://127.0.0.1:.*: 503"):
        tokens.get(registry, parameters, SCOPES)


@pytest.mark.parametrize("given", [[], "x", {}, {"token": ""}, {"token": "a b"}, {"token": "a\nb"}, {"token": {}}])
def test_what_is_no_token(given: object, realm: HostileRegistry) -> None:
    tokens, registry, parameters = tokens_at(realm, PASSWORD, Clock())
    realm.table["GET", "/token"] = answer(200, json.dumps(given).encode())
    with pytest.raises(Untrusted, match="gave no token"):
        tokens.get(registry, parameters, SCOPES)


@pytest.mark.parametrize(
    ("registry", "realm", "with_credentials", "without"),
    [
        ("https://r.example.org", "https://r.example.org", True, True),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000", True, True),
        ("https://registry.example.org", "https://auth.example.org", True, True),
        ("https://registry-1.docker.io", "https://auth.docker.io", True, True),
        ("https://registry.gitlab.com", "https://gitlab.com", True, True),
        ("https://r.example.org:5000", "https://r.example.org:5001", True, True),
        ("https://r.example.org", "https://evil.example.com", False, True),
        ("https://r.example.org", "https://evilexample.org", False, True),
        ("https://shop.co.uk", "https://evil.co.uk", False, True),
        ("https://example.org", "https://evil.org", False, True),
        ("https://10.0.0.1", "https://10.0.0.2", False, True),
        ("http://r.example.org", "https://auth.example.org", False, True),
        ("https://r.example.org", "http://r.example.org", False, False),
        ("https://r.example.org", "http://auth.example.org", False, False),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001", False, False),
        ("https://r.example.org", "https://127.0.0.1", False, False),
        ("https://r.example.org", "https://169.254.169.254", False, False),
    ],
)
def test_whom_a_registry_may_name(registry: str, realm: str, with_credentials: bool, without: bool) -> None:
    for signed_in, allowed in ((True, with_credentials), (False, without)):
        origins = [origin_of(*text.split("://")) for text in (registry, realm)]
        if allowed:
            check_realm(origins[0], origins[1], signed_in)
        else:
            with pytest.raises(Untrusted, match="to sign in"):
                check_realm(origins[0], origins[1], signed_in)


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Credentials("a", "secret", "secret", "secret"))
