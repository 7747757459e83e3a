"""Names, tags, digests and addresses that the grammar does not allow, and methods that nobody answers ("API").

Every one is a 4xx in the specification's JSON, with a sentence, whatever the endpoint.
"""

import pytest

from tests.spec.contents import EMPTY, digest_of, image
from tests.spec.registry import Registry

# One driver is enough: this is about the catalog and the words alone.
pytestmark = pytest.mark.parametrize("driver", ["files"], indirect=True, scope="session")

DIGEST = digest_of(b"x")
SESSION = "7ce1ef1e-6dd4-4b5c-9e0b-0a3a5c2f1d11"

REQUESTS = [
    ("GET", "/v2/{}/manifests/latest"),
    ("HEAD", "/v2/{}/manifests/latest"),
    ("PUT", "/v2/{}/manifests/latest"),
    ("DELETE", "/v2/{}/manifests/latest"),
    ("GET", "/v2/{}/blobs/" + DIGEST),
    ("DELETE", "/v2/{}/blobs/" + DIGEST),
    ("POST", "/v2/{}/blobs/uploads/"),
    ("POST", "/v2/{}/blobs/uploads/?digest=" + DIGEST),
    ("POST", "/v2/{}/blobs/uploads/?mount=" + DIGEST),
    ("PATCH", "/v2/{}/blobs/uploads/" + SESSION),
    ("PUT", "/v2/{}/blobs/uploads/" + SESSION + "?digest=" + DIGEST),
    ("GET", "/v2/{}/blobs/uploads/" + SESSION),
    ("DELETE", "/v2/{}/blobs/uploads/" + SESSION),
    ("GET", "/v2/{}/tags/list"),
    ("GET", "/v2/{}/referrers/" + DIGEST),
]

BAD_NAMES = [
    "UPPER",
    "-a",
    "a-",
    ".a",
    "a.",
    "_a",
    "a_",
    "a..b",
    "a._b",
    "a___b",
    "a-_b",
    "a//b",
    "a/",
    "/a",
    "a/-/b",
    "a b",
    "a%20b",
    "a%00",
    "a%0A",
    "%0Aa",
    "caf%C3%A9",
    "%ff",
    "a@b",
    "a:b",
    "a+b",
    "..",
    "a/../b",
    "a%2F%2Fb",
    "%D9%A3",  # a digit, but not one of ASCII's
    "a/blobs/",
    "*",
    "'",
    "a" * 256,
    "/".join("a" * 33),
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_none_is_400_everywhere(registry: Registry, name: str) -> None:
    for method, path in REQUESTS:
        answer = registry.request(method, path.format(name)).expect(400)
        if method != "HEAD":
            answer.expect(400, "NAME_INVALID")


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "0",
        "a.b",
        "a_b",
        "a__b",
        "a-b",
        "a---b",
        "a/b",
        "a0.b1_c2__d3-e4/f",
        "a" * 255,
        "/".join("a" * 32),
        "blobs",
        "a/blobs/b",
        "uploads",
        "a/manifests/b/tags",
        "tags/list",
        "_catalog".strip("_"),
        "v2",
        "a/referrers",
    ],
)
def test_a_name_that_is_one_is_served(registry: Registry, name: str) -> None:
    content = registry.push(name, "latest", image())
    assert registry.get(f"/v2/{name}/manifests/latest").expect(200).body == content
    assert registry.get(f"/v2/{name}/blobs/{digest_of(EMPTY)}").expect(200).body == EMPTY
    assert registry.get(f"/v2/{name}/tags/list").expect(200).json()["name"] == name
    registry.get(f"/v2/{name}/referrers/{digest_of(content)}").expect(200)


def test_an_upper_case_name_is_told_the_lower_case_one(registry: Registry) -> None:
    assert "try team/app" in registry.get("/v2/Team/App/tags/list").expect(400, "NAME_INVALID").message


def test_an_escaped_slash_is_a_slash(registry: Registry, name: str) -> None:
    registry.push(name, "latest", image())
    registry.get(f"/v2/{name.replace('/', '%2F')}/manifests/latest").expect(200)


@pytest.mark.parametrize(
    "tag", ["-x", ".x", "a b", "a%00", "a%0A", "%C3%A9", "a+b", "x" * 129, "a@b", "*", "%D9%A3", ""]
)
def test_end_7a_a_tag_that_is_none_is_400(registry: Registry, name: str, tag: str) -> None:
    registry.push_blob(name, EMPTY)
    answer = registry.put_manifest(name, tag.replace(" ", "%20"), image()).expect(400, "MANIFEST_INVALID")
    assert "128" in answer.message


@pytest.mark.parametrize("tag", ["a", "_", "0", "A.b-c_d", "x" * 128, "latest", "v1.2.3-rc.1", "sha256-" + "a" * 64])
def test_end_7a_a_tag_that_is_one(registry: Registry, name: str, tag: str) -> None:
    content = registry.push(name, tag, image())
    assert registry.get(f"/v2/{name}/manifests/{tag}").expect(200).body == content


BAD_DIGESTS = [
    "sha256:",
    ":",
    ":abc",
    "sha256:abc",
    "sha256:" + "a" * 63,
    "sha256:" + "a" * 65,
    "sha256:" + "A" * 64,
    "sha256:" + "g" * 64,
    "SHA256:" + "a" * 64,
    "sha512:" + "a" * 64,
    "sha384:" + "a" * 96,
    "md5:" + "a" * 32,
    "sha256:sha256:" + "a" * 64,
    "sha256:" + "a" * 64 + "%0A",
    "sha256:" + "a" * 63 + "%00",
    "sha256:" + "%D9%A3" * 64,
    "sha256%3A",
    "sha256:" + "a" * 5000,
]


WITH_DIGEST = [
    ("GET", "/v2/a/blobs/{}"),
    ("DELETE", "/v2/a/blobs/{}"),
    ("GET", "/v2/a/manifests/{}"),
    ("PUT", "/v2/a/manifests/{}"),
    ("DELETE", "/v2/a/manifests/{}"),
    ("GET", "/v2/a/referrers/{}"),
    ("POST", "/v2/a/blobs/uploads/?digest={}"),
    ("POST", "/v2/a/blobs/uploads/?mount={}"),
    ("PUT", "/v2/a/blobs/uploads/" + SESSION + "?digest={}"),
]


@pytest.mark.parametrize("digest", BAD_DIGESTS)
def test_a_digest_that_is_none_is_400_everywhere(registry: Registry, digest: str) -> None:
    for method, path in WITH_DIGEST:
        answer = registry.request(method, path.format(digest)).expect(400, "DIGEST_INVALID")
        assert len(answer.message) < 200


def test_a_digest_with_an_escaped_colon_is_one(registry: Registry, name: str) -> None:
    digest = registry.push_blob(name, EMPTY)
    registry.get(f"/v2/{name}/blobs/{digest.replace(':', '%3A')}").expect(200)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/x",
        "/v2/team/app",
        "/v2/team/app/",
        "/v2/team/app/blobs",
        "/v2/team/app/tags",
        "/v2/team/app/tags/list/",
        "/v2/team/app/manifests",
        "/v2//",
        "/v2/_catalog/",
        "/v2/a/blobs/uploads/x/y",
        "/v2/a/manifests/b/c",
        "/v2/%00",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_an_address_that_is_none_is_404(registry: Registry, method: str, path: str) -> None:
    registry.request(method, path).expect(404, "UNSUPPORTED")


@pytest.mark.parametrize("path", ["/", "/v1/", "/v2x", "/v3/", "/favicon.ico", "//v2/", "/token"])
def test_an_address_outside_the_api_is_404_in_json(registry: Registry, path: str) -> None:
    assert registry.get(path).expect(404, "UNSUPPORTED")["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v2/", {"GET", "HEAD"}),
        ("/v2/_catalog", {"GET", "HEAD"}),
        ("/v2/a/tags/list", {"GET", "HEAD"}),
        ("/v2/a/manifests/latest", {"GET", "HEAD", "PUT", "DELETE"}),
        ("/v2/a/manifests/" + DIGEST, {"GET", "HEAD", "PUT", "DELETE"}),
        ("/v2/a/blobs/" + DIGEST, {"GET", "HEAD", "DELETE"}),
        ("/v2/a/blobs/uploads/", {"POST"}),
        ("/v2/a/blobs/uploads", {"POST"}),
        ("/v2/a/blobs/uploads/" + SESSION, {"GET", "HEAD", "PATCH", "PUT", "DELETE"}),
        ("/v2/a/referrers/" + DIGEST, {"GET", "HEAD"}),
    ],
)
def test_a_method_that_is_not_answered_is_405_and_names_those_that_are(
    registry: Registry, path: str, allowed: set[str]
) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "X" * 5000} - allowed:
        answer = registry.request(method, path).expect(405, "UNSUPPORTED")
        assert set(answer["allow"].split(", ")) == allowed
        assert len(answer.message) < 200


def test_ns_is_ignored_by_a_registry_that_is_no_proxy(registry: Registry, name: str) -> None:
    registry.push(name, "latest", image())
    answer = registry.get(f"/v2/{name}/manifests/latest?ns=docker.io").expect(200)
    assert answer.get("oci-namespace") is None
