"""The token endpoint, by Distribution's token specification and its OAuth2 form, and the challenges that lead to it.

What a token grants is the intersection of what was asked and what is allowed; 401 is for wrong credentials alone.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from auth.keys import PublicKey
from auth.tokens import Verifier
from tests.access.people import settle
from tests.access.world import (
    ADMIN_PASSWORD,
    OPERATOR,
    PASSWORD,
    PRIVATE,
    PUBLIC,
    Accounts,
    Signed,
    basic,
    bearer,
    harbour,
)
from tests.auth.odd_scopes import OddScope, odd_scopes
from tests.spec.asgi import Answer
from tests.spec.contents import digest_of
from tests.spec.registry import Registry

FORM = {"content-type": "application/x-www-form-urlencoded"}
PULL_PRIVATE = f"repository:{PRIVATE}:pull"
ONE_MORE_THAN_FITS = 101


@dataclass(frozen=True, slots=True)
class Desk:
    """A server, its accounts, and short ways to ask for a token."""

    registry: Registry
    accounts: Accounts

    def get(self, query: str = "", headers: dict[str, str] | None = None) -> Answer:
        """Ask by GET."""
        return self.registry.request("GET", f"/token?{query}", headers=headers)

    def post(self, fields: dict[str, str] | list[tuple[str, str]], **headers: str) -> Answer:
        """Ask by POST."""
        return self.registry.request("POST", "/token", urlencode(fields).encode(), {**FORM, **headers})

    def password(self, **fields: str) -> Answer:
        """Ask with olga's password, by POST."""
        given = {"grant_type": "password", "username": "olga", "password": PASSWORD, "service": "moorage"}
        return self.post(given | fields)

    def refresh(self, token: str, **fields: str) -> Answer:
        """Ask with a refresh token."""
        return self.post({"grant_type": "refresh_token", "refresh_token": token, "service": "moorage"} | fields)


@pytest.fixture(scope="module")
def desk(fast_directory: Path) -> Iterator[Desk]:
    with harbour(fast_directory / "token") as (registry, accounts):
        settle(registry, accounts)
        yield Desk(registry, accounts)


OLGA = basic("olga", PASSWORD)


def claims(answer: Answer) -> dict[str, Any]:
    """Read the token of an answer, unchecked."""
    payload = answer.expect(200).json()["token"].split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def granted(answer: Answer) -> dict[str, list[str]]:
    """Give what a token grants: actions by name."""
    return {entry["name"]: entry["actions"] for entry in claims(answer)["access"]}


def refused(answer: Answer, status: int, error: str) -> Answer:
    """See that an answer is a refusal, for people, for OCI clients and for those of OAuth2."""
    document = answer.expect(status).json()
    assert document["error"] == error
    assert document["error_description"] == document["errors"][0]["message"]
    assert answer["cache-control"] == "no-store"
    return answer


def test_get_gives_what_clients_read(desk: Desk) -> None:
    now = int(time.time())
    answer = desk.get(f"service=moorage&scope={PULL_PRIVATE}", OLGA).expect(200)
    document = answer.json()
    assert set(document) == {"token", "access_token", "expires_in", "issued_at"}
    assert document["token"] == document["access_token"]
    assert document["expires_in"] == 300
    issued = time.strptime(document["issued_at"], "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(issued) - time.timezone - now) <= 5
    assert answer["content-type"] == "application/json"
    assert (answer["cache-control"], answer["pragma"]) == ("no-store", "no-cache")


def test_a_tokens_claims_are_those_of_the_specification(desk: Desk) -> None:
    found = claims(desk.get(f"service=moorage&scope={PULL_PRIVATE}", OLGA))
    assert (found["iss"], found["aud"], found["sub"]) == ("moorage", "moorage", "olga")
    assert found["exp"] - found["iat"] == 300
    assert found["nbf"] == found["iat"]
    assert found["access"] == [{"type": "repository", "name": PRIVATE, "actions": ["pull"]}]
    assert found["jti"] != claims(desk.get("service=moorage", OLGA))["jti"]


def test_jwks_verify_a_token(desk: Desk) -> None:
    answer = desk.registry.get("/.well-known/jwks.json").expect(200)
    assert answer["content-type"] == "application/jwk-set+json"
    documents = answer.json()["keys"]
    assert all(set(document) == {"kty", "crv", "x", "y", "kid", "use", "alg"} for document in documents)
    keys = {document["kid"]: PublicKey.from_jwk(document) for document in documents}
    assert len(keys) >= 2  # the next key is told before it signs
    token = desk.get(f"scope={PULL_PRIVATE}", OLGA).json()["token"]
    found = Verifier(issuer="moorage", audience="moorage").verify(token, keys, int(time.time()))
    assert found.access[PRIVATE] == {"pull"}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (f"scope={PULL_PRIVATE}", {PRIVATE: ["pull"]}),
        (f"scope={PULL_PRIVATE}&scope=repository:{PUBLIC}:pull,push", {PRIVATE: ["pull"], PUBLIC: ["pull", "push"]}),
        (f"scope={PULL_PRIVATE}%20repository:{PUBLIC}:pull", {PRIVATE: ["pull"], PUBLIC: ["pull"]}),
        (f"scope={PULL_PRIVATE}+repository:{PUBLIC}:push", {PRIVATE: ["pull"], PUBLIC: ["push"]}),
        (f"scope={PULL_PRIVATE}&scope=repository:{PRIVATE}:push", {PRIVATE: ["pull", "push"]}),
        (f"scope=repository:{PRIVATE}:*", {PRIVATE: ["delete", "pull", "push"]}),
        (f"scope=repository:{PRIVATE}:pull,admin,create", {PRIVATE: ["pull"]}),
        ("scope=repository:other/lib:pull,push", {}),
        ("scope=repository:Team/App:pull", {}),
        ("scope=repository(plugin):team/private:pull", {}),
        ("scope=registry:catalog:*", {"catalog": ["*"]}),
        ("scope=registry:catalog:search", {"catalog": ["search"]}),
        ("scope=registry:other:*", {}),
        ("scope=", {}),
        ("", {}),
    ],
)
def test_a_token_holds_what_was_asked_and_is_allowed(desk: Desk, query: str, wanted: dict[str, list[str]]) -> None:
    assert granted(desk.get(f"service=moorage&{query}", OLGA)) == wanted


def test_a_post_says_which_scope_it_granted(desk: Desk) -> None:
    answer = desk.password(scope=f"repository:{PRIVATE}:pull,push repository:other/lib:pull").expect(200)
    document = answer.json()
    assert document["token_type"] == "Bearer"
    assert document["scope"] == f"repository:{PRIVATE}:pull,push"
    assert granted(answer) == {PRIVATE: ["pull", "push"]}
    assert "refresh_token" not in document


def test_a_post_takes_repeated_scopes_too(desk: Desk) -> None:
    fields = [("grant_type", "password"), ("username", "olga"), ("password", PASSWORD)]
    scopes = [("scope", PULL_PRIVATE), ("scope", f"repository:{PUBLIC}:pull")]
    assert granted(desk.post(fields + scopes)) == {PRIVATE: ["pull"], PUBLIC: ["pull"]}


def test_nobody_gets_a_token_for_what_is_public(desk: Desk) -> None:
    answer = desk.get(f"scope=repository:{PUBLIC}:pull,push&scope={PULL_PRIVATE}")
    assert granted(answer) == {PUBLIC: ["pull"]}
    assert claims(answer)["sub"] == ""
    token = bearer(answer.json()["token"])
    desk.registry.request("GET", f"/v2/{PUBLIC}/manifests/latest", headers=token).expect(200)
    desk.registry.request("GET", "/v2/", headers=token).expect(200)


def test_docker_search_without_a_login_sends_empty_basic(desk: Desk) -> None:
    assert claims(desk.get("", basic("", "")))["sub"] == ""


@pytest.mark.parametrize("offline", ["true", "True", "TRUE"])
def test_docker_login_gets_a_refresh_token(desk: Desk, offline: str) -> None:
    """`docker login` asks without a scope, and keeps the refresh token in place of the password."""
    answer = desk.get(f"account=olga&client_id=docker&offline_token={offline}&service=moorage", OLGA).expect(200)
    refresh = answer.json()["refresh_token"]
    again = desk.refresh(refresh, client_id="docker", scope=f"{PULL_PRIVATE} repository:{PUBLIC}:pull")
    assert granted(again) == {PRIVATE: ["pull"], PUBLIC: ["pull"]}
    assert claims(again)["sub"] == "olga"
    assert "refresh_token" not in again.json()


def test_a_post_for_offline_access_gets_a_refresh_token(desk: Desk) -> None:
    refresh = desk.password(access_type="offline").expect(200).json()["refresh_token"]
    assert granted(desk.refresh(refresh, scope=PULL_PRIVATE)) == {PRIVATE: ["pull"]}


@pytest.mark.parametrize(
    "query", ["offline_token=false", "offline_token=", "offline_token=1", "access_type=offline", ""]
)
def test_without_asking_for_one_there_is_no_refresh_token(desk: Desk, query: str) -> None:
    assert "refresh_token" not in desk.get(query, OLGA).expect(200).json()


def test_nobody_gets_no_refresh_token(desk: Desk) -> None:
    assert "refresh_token" not in desk.get("offline_token=true").expect(200).json()


def test_a_secret_never_turns_into_a_refresh_token(desk: Desk) -> None:
    """It would outlive the secret's revocation."""
    secret, robots = desk.accounts.secret("olga"), desk.accounts.secret("team+one")
    for name, word in (("olga", secret), ("team+one", robots)):
        assert "refresh_token" not in desk.get("offline_token=true", basic(name, word)).expect(200).json()
        answer = desk.password(username=name, password=word, access_type="offline").expect(200)
        assert "refresh_token" not in answer.json()


def test_a_refresh_token_never_turns_into_another(desk: Desk) -> None:
    refresh = desk.password(access_type="offline").json()["refresh_token"]
    assert "refresh_token" not in desk.refresh(refresh, access_type="offline").expect(200).json()


def test_a_setting_switches_refresh_tokens_off(fast_directory: Path) -> None:
    with harbour(fast_directory / "no-refresh", auth={"mode": "accounts", "refresh_tokens": False}) as (registry, _):
        desk = Desk(registry, _)
        admin = basic("admin", ADMIN_PASSWORD)
        assert "refresh_token" not in desk.get("offline_token=true", admin).expect(200).json()
        answer = desk.password(username="admin", password=ADMIN_PASSWORD, access_type="offline").expect(200)
        assert "refresh_token" not in answer.json()


@pytest.mark.parametrize("service", ["another", "MOORAGE", "moorage ", "moorage,another"])
def test_a_refresh_token_is_good_for_its_service_alone(desk: Desk, service: str) -> None:
    refresh = desk.password(access_type="offline").json()["refresh_token"]
    refused(desk.refresh(refresh, service=service), 401, "invalid_grant")
    desk.refresh(refresh).expect(200)


def test_other_secrets_are_no_refresh_tokens(desk: Desk) -> None:
    for word in (
        PASSWORD,
        desk.accounts.secret("olga"),
        "mrg_ref_" + "A" * 43,
        "x",
        desk.get("", OLGA).json()["token"],
    ):
        refused(desk.refresh(word), 401, "invalid_grant")
    desk.accounts.forgive()


@pytest.mark.parametrize("end", ["password", "disabled", "revoked", "removed"])
def test_a_refresh_token_ends_at_once(desk: Desk, end: str) -> None:
    name = f"rita-{end}"
    desk.accounts.user(name)
    refresh = desk.password(username=name, access_type="offline").expect(200).json()["refresh_token"]
    desk.refresh(refresh).expect(200)
    if end == "password":
        desk.accounts.people.set_password(name, "another-rope-of-hemp", OPERATOR)
    elif end == "disabled":
        desk.accounts.people.disable(name, OPERATOR)
    elif end == "revoked":
        desk.accounts.secrets.revoke(refresh, OPERATOR)
    else:
        desk.accounts.people.remove(name, OPERATOR)
    refused(desk.refresh(refresh), 401, "invalid_grant")
    desk.accounts.forgive()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("olga", "wrong"),
        ("nobody-at-all", PASSWORD),
        ("OLGA", PASSWORD),
        (" olga", PASSWORD),
        ("olga\x00", PASSWORD),
        ("olga", PASSWORD + "\x00"),
        ("o" * 300, PASSWORD),
        ("olga", "x" * 2000),
        ("\u043elga", PASSWORD),
        ("olga\u200b", PASSWORD),
        ("team", PASSWORD),
        ("team+ci", PASSWORD),
        ("", PASSWORD),
        ("olga", ""),
    ],
)
def test_wrong_credentials_are_one_refusal(desk: Desk, name: str, word: str) -> None:
    first = refused(desk.get("", basic("olga", "mrg_pat_" + "A" * 43)), 401, "invalid_client")
    second = refused(desk.get("", basic(name, word)), 401, "invalid_client")
    assert first == second
    assert second["www-authenticate"] == 'Basic realm="moorage"'
    if name and word:
        assert refused(desk.password(username=name, password=word), 401, "invalid_grant").message == first.message
    desk.accounts.forgive()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"grant_type": "password"},
        {"grant_type": "password", "username": "olga"},
        {"grant_type": "password", "password": PASSWORD},
        {"grant_type": "refresh_token"},
        {"username": "olga", "password": PASSWORD},
    ],
)
def test_a_form_that_lacks_something_is_no_wrong_login(desk: Desk, fields: dict[str, str]) -> None:
    answer = desk.post(fields)
    error = "invalid_request" if fields.get("grant_type") else "unsupported_grant_type"
    refused(answer, 400, error)


@pytest.mark.parametrize("grant", ["client_credentials", "authorization_code", "Password", "password "])
def test_other_grants_are_unknown(desk: Desk, grant: str) -> None:
    refused(desk.password(grant_type=grant), 400, "unsupported_grant_type")


@pytest.mark.parametrize("name", ["grant_type", "username", "password", "access_type"])
def test_a_field_that_stands_twice_is_refused(desk: Desk, name: str) -> None:
    fields = [("grant_type", "password"), ("username", "olga"), ("password", PASSWORD), ("access_type", "online")]
    refused(desk.post([*fields, (name, dict(fields)[name])]), 400, "invalid_request")


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", "", "application/x-www-form"]
)
def test_only_forms_are_read(desk: Desk, content_type: str) -> None:
    body = urlencode({"grant_type": "password", "username": "olga", "password": PASSWORD}).encode()
    answer = desk.registry.request("POST", "/token", body, {"content-type": content_type})
    refused(answer, 400, "invalid_request")


def test_a_form_has_limits(desk: Desk) -> None:
    fields = [("grant_type", "password"), ("username", "olga"), ("password", PASSWORD)]
    desk.post([*fields, *((f"x{n}", "") for n in range(97))]).expect(200)
    desk.post([*fields, *((f"x{n}", "") for n in range(98))]).expect(413)
    desk.post([*fields, ("x", "y" * 2**16)]).expect(413)
    for body in (b"grant_type=password&username=%ff%fe&password=x", b"grant_type=\xc3\xa4", b"&" * 200):
        assert desk.registry.request("POST", "/token", body, FORM).status in (400, 413)


def test_a_query_has_limits(desk: Desk) -> None:
    desk.get("&".join(f"x{n}=" for n in range(ONE_MORE_THAN_FITS))).expect(414)
    desk.get("account=%ff").expect(400)
    desk.get("scope=" + "%20".join(f"repository:team/{n}:pull" for n in range(33))).expect(400)
    desk.get("&".join(f"scope=repository:team/{n}:pull" for n in range(99))).expect(400)


@pytest.mark.parametrize("odd", odd_scopes(), ids=lambda odd: odd.name)
@pytest.mark.parametrize("headers", [{}, OLGA], ids=["nobody", "olga"])
def test_odd_scopes_are_refused_or_grant_what_is_allowed(desk: Desk, odd: OddScope, headers: dict[str, str]) -> None:
    text = odd.text.encode("utf-8", "surrogatepass")
    answer = desk.get(urlencode({"scope": text, "service": "moorage"}), headers)
    if not odd.valid:
        assert answer.status in (400, 414)
        return
    if answer.status == 400:
        assert odd.name in ("the longest", "the most")  # a name that is no repository's, or too much for one token
        return
    if not headers:
        assert {name: actions for name, actions in granted(answer).items() if name != "catalog"} == {}
    assert all(name == "catalog" or name.startswith("team/") for name in granted(answer))


@pytest.mark.parametrize("value", ["Bearer abc", "Basic !!!", "Basic b2xnYQ==", "Digest x", "basic", "", "Basic"])
def test_what_is_no_login_is_refused(desk: Desk, value: str) -> None:
    refused(desk.get("", {"authorization": value}), 401, "invalid_client")


CHALLENGES = {
    ("GET", "/v2/"): "",
    ("HEAD", "/v2"): "",
    ("GET", f"/v2/{PRIVATE}/manifests/latest"): PULL_PRIVATE,
    ("HEAD", f"/v2/{PRIVATE}/blobs/{digest_of(b'')}"): PULL_PRIVATE,
    ("GET", f"/v2/{PRIVATE}/tags/list"): PULL_PRIVATE,
    ("GET", f"/v2/{PRIVATE}/referrers/{digest_of(b'')}"): PULL_PRIVATE,
    ("POST", f"/v2/{PRIVATE}/blobs/uploads/"): f"{PULL_PRIVATE},push",
    ("PATCH", f"/v2/{PRIVATE}/blobs/uploads/x"): f"{PULL_PRIVATE},push",
    ("GET", f"/v2/{PRIVATE}/blobs/uploads/x"): f"{PULL_PRIVATE},push",
    ("DELETE", f"/v2/{PRIVATE}/blobs/uploads/x"): f"{PULL_PRIVATE},push",
    ("PUT", f"/v2/{PRIVATE}/manifests/latest"): f"{PULL_PRIVATE},push",
    ("DELETE", f"/v2/{PRIVATE}/manifests/latest"): f"repository:{PRIVATE}:delete",
    ("DELETE", f"/v2/{PRIVATE}/blobs/{digest_of(b'')}"): f"repository:{PRIVATE}:delete",
    ("POST", f"/v2/{PRIVATE}/blobs/uploads/?mount={digest_of(b'')}&from={PUBLIC}"): (
        f"{PULL_PRIVATE},push repository:{PUBLIC}:pull"
    ),
    ("POST", f"/v2/{PRIVATE}/blobs/uploads/?mount={digest_of(b'')}"): f"{PULL_PRIVATE},push",
    ("GET", "/v2/_catalog"): "registry:catalog:*",
    ("GET", "/v1/search?q=x"): "registry:catalog:search",
}


@pytest.mark.parametrize(("method", "target"), CHALLENGES)
def test_a_challenge_names_realm_service_and_scope(desk: Desk, method: str, target: str) -> None:
    answer = desk.registry.request(method, target).expect(401)
    scope = CHALLENGES[method, target]
    wanted = 'Bearer realm="http://registry.test:5000/token",service="moorage"' + (f',scope="{scope}"' if scope else "")
    assert answer["www-authenticate"] == wanted
    assert answer["cache-control"] == "no-store"


@pytest.mark.parametrize(("method", "target"), [row for row in CHALLENGES if CHALLENGES[row]])
def test_the_scope_of_a_challenge_is_enough(desk: Desk, method: str, target: str) -> None:
    """A client that does as it is told is let in."""
    admin = basic("admin", ADMIN_PASSWORD)
    scope = urlencode({"scope": CHALLENGES[method, target]})
    token = bearer(desk.get(scope, admin).json()["token"])
    assert desk.registry.request(method, target, headers=token).status not in (401, 403)


def test_a_bad_token_is_told_apart_from_a_small_one(desk: Desk) -> None:
    target = f"/v2/{PRIVATE}/manifests/latest"
    bad = desk.registry.request("GET", target, headers=bearer("bad")).expect(401, "UNAUTHORIZED")
    assert 'error="invalid_token",error_description="' in bad["www-authenticate"]
    small = bearer(desk.get("", OLGA).json()["token"])
    answer = desk.registry.request("GET", target, headers=small).expect(401, "DENIED")
    assert 'error="insufficient_scope",error_description="' in answer["www-authenticate"]
    by_basic = desk.registry.request("GET", target, headers=basic("sam", PASSWORD)).expect(403, "DENIED")
    assert by_basic.get("www-authenticate") is None


def test_locations_are_relative_for_whoever_signs_in(desk: Desk) -> None:
    """Behind a proxy an absolute one makes containerd send the next request without its token."""
    olga = Signed(desk.registry, OLGA)
    assert olga.start(PRIVATE).startswith(f"/v2/{PRIVATE}/blobs/uploads/")
    content = b"anything"
    pushed = olga.post(f"/v2/{PRIVATE}/blobs/uploads/?digest={digest_of(content)}", content).expect(201)
    assert pushed["location"] == f"/v2/{PRIVATE}/blobs/{digest_of(content)}"


@pytest.mark.parametrize("url", ["https://registry.example", "https://registry.example/", "http://[::1]:5000"])
def test_the_realm_is_the_public_address(fast_directory: Path, url: str) -> None:
    place = fast_directory / f"public-{abs(hash(url))}"
    with harbour(place, server={"public_url": url}) as (registry, _):
        for host in ("registry.test", "evil.example", "a b"):
            challenge = registry.request("GET", "/v2/", headers={"host": host}).expect(401)["www-authenticate"]
            assert challenge == f'Bearer realm="{url.rstrip("/")}/token",service="moorage"'


HOSTS = (
    "localhost",
    "localhost:5000",
    "10.0.0.1:5000",
    "[::1]:5000",
    "[fe80::1]",
    "registry.example.",
    "a_b.example:1",
)
NO_HOSTS = (
    "",
    "a b",
    'evil.example"',
    'a",realm="http://evil.example',
    "a\\b",
    "user@evil.example",
    "evil.example/path",
    "evil.example?x",
    "evil.example#x",
    "a,b",
    "a:b:c",
    "a:123456",
    "a:",
    "-a",
    "[::1",
    "[evil]",
    "\xe4.example",
    "a" * 300,
    ".",
    "..",
)


def _hosted(registry: Registry, host: str) -> Answer:
    class Elsewhere(Registry):
        """Sends one Host, and not a second."""

        def _scope(self, method: str, target: str, headers: Any) -> Any:
            scope = dict(super()._scope(method, target, headers))
            scope["headers"] = [(b"host", host.encode("latin-1"))]
            return scope

    other = Elsewhere.__new__(Elsewhere)
    other.__dict__.update(registry.__dict__)
    return other.request("GET", "/v2/")


@pytest.mark.parametrize("host", HOSTS)
def test_the_realm_is_the_host_that_the_client_used(desk: Desk, host: str) -> None:
    challenge = _hosted(desk.registry, host).expect(401)["www-authenticate"]
    assert challenge == f'Bearer realm="http://{host}/token",service="moorage"'


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_is_no_host_is_not_echoed(desk: Desk, host: str) -> None:
    answer = _hosted(desk.registry, host).expect(400, "UNSUPPORTED")
    assert answer.get("www-authenticate") is None
    if len(host) > 3:
        assert host not in answer.body.decode()
