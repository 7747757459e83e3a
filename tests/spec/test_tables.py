"""The tables of the specification, copied from it, beside the tables in code ("Endpoints", "Error Codes").

Copied at 967efdc079b91785ad18c77cc4f8991a47feefbf (1.1.1+dev). When the specification moves, copy them again.
"""

import re

import pytest

from auth.policy import Action
from registry.api.endpoints import ENDPOINTS, SPECIFICATION, Endpoint
from registry.api.router import ORDER
from registry.oci.errors import SPECIFIED_CODES, ErrorCode

COMMIT = "967efdc079b91785ad18c77cc4f8991a47feefbf"

TABLE = """
| end-1 | `GET` | `/v2/` | `200` | `404`/`401` |
| end-2 | `GET` / `HEAD` | `/v2/<name>/blobs/<digest>` | `200` | `404` |
| end-3 | `GET` / `HEAD` | `/v2/<name>/manifests/<tag-or-digest>` | `200` | `404` |
| end-4a | `POST` | `/v2/<name>/blobs/uploads/` | `202` | `404` |
| end-4b | `POST` | `/v2/<name>/blobs/uploads/?digest=<digest>` | `201`/`202` | `404`/`400` |
| end-4c | `POST` | `/v2/<name>/blobs/uploads/?digest-algorithm=<algorithm>` | `201`/`202` | `404`/`400` |
| end-5 | `PATCH` | `<blob-push-location>` | `202` | `404`/`416` |
| end-6 | `PUT` | `<blob-push-location>?digest=<digest>` | `201` | `404`/`400`/`416` |
| end-7a | `PUT` | `/v2/<name>/manifests/<tag-or-digest>` | `201` | `404`/`413` |
| end-7b | `PUT` | `/v2/<name>/manifests/<digest>?tag=1&tag=2&tag=3` | `201` | `404`/`413` |
| end-8a | `GET` | `/v2/<name>/tags/list` | `200` | `404` |
| end-8b | `GET` | `/v2/<name>/tags/list?n=<integer>&last=<tagname>` | `200` | `404` |
| end-9 | `DELETE` | `/v2/<name>/manifests/<tag-or-digest>` | `202` | `404`/`400`/`405` |
| end-10 | `DELETE` | `/v2/<name>/blobs/<digest>` | `202` | `404`/`400`/`405` |
| end-11 | `POST` | `/v2/<name>/blobs/uploads/?mount=<digest>&from=<other_name>` | `201`/`202` | `404` |
| end-12a | `GET` | `/v2/<name>/referrers/<digest>` | `200` | `404`/`400` |
| end-12b | `GET` | `/v2/<name>/referrers/<digest>?artifactType=<artifactType>` | `200` | `404`/`400` |
| end-13 | `GET` | `<blob-push-location>` | `204` | `404` |
| end-14 | `DELETE` | `<blob-push-location>` | `204` | `404`/`400` |
"""

CODES = """
| code-1  | `BLOB_UNKNOWN`          | blob unknown to registry                                   |
| code-2  | `BLOB_UPLOAD_INVALID`   | blob upload invalid                                        |
| code-3  | `BLOB_UPLOAD_UNKNOWN`   | blob upload unknown to registry                            |
| code-4  | `DIGEST_INVALID`        | provided digest did not match uploaded content             |
| code-5  | `MANIFEST_BLOB_UNKNOWN` | manifest references a manifest or blob unknown to registry |
| code-6  | `MANIFEST_INVALID`      | manifest invalid                                           |
| code-7  | `MANIFEST_UNKNOWN`      | manifest unknown to registry                               |
| code-8  | `NAME_INVALID`          | invalid repository name                                    |
| code-9  | `NAME_UNKNOWN`          | repository name not known to registry                      |
| code-10 | `SIZE_INVALID`          | provided length did not match content length               |
| code-11 | `UNAUTHORIZED`          | authentication required                                    |
| code-12 | `DENIED`                | requested access to the resource is denied                 |
| code-13 | `UNSUPPORTED`           | the operation is unsupported                               |
| code-14 | `TOOMANYREQUESTS`       | too many requests                                          |
"""

BESIDE = {"_catalog", "token", "jwks", "search-ping", "search"}
"""What is no row of the specification: the reserved extension, and what docker needs for accounts and search."""

VALUES = {
    "<name>": "team/app",
    "<other_name>": "team/other",
    "<digest>": "sha256:" + "a" * 64,
    "<tag-or-digest>": "latest",
    "<algorithm>": "sha512",
    "<artifactType>": "application/vnd.example",
    "<integer>": "5",
    "<tagname>": "1.0",
    "<blob-push-location>": "/v2/team/app/blobs/uploads/7ce1ef1e-6dd4-4b5c-9e0b-0a3a5c2f1d11",
}


def rows() -> list[tuple[str, str, str]]:
    """Give each row's id, one method, and its address with values filled in."""
    found = []
    for line in TABLE.strip().splitlines():
        row, methods, address = (cell.strip().replace("`", "") for cell in line.strip("|").split("|")[:3])
        for placeholder, value in VALUES.items():
            address = address.replace(placeholder, value)
        found += [(row, method.strip(), address) for method in methods.split("/")]
    return found


def endpoint_for(method: str, address: str) -> Endpoint:
    """Choose as the router does: patterns in its order, then rows with a query parameter before those without."""
    path, _, query = address.partition("?")
    keys = {part.partition("=")[0] for part in query.split("&")} - {""}
    pattern = next(pattern for pattern in ORDER if re.fullmatch(pattern, path, re.ASCII | re.DOTALL))
    return next(
        endpoint
        for endpoint in ENDPOINTS
        if endpoint.pattern == pattern
        and method in endpoint.methods
        and (endpoint.query is None or endpoint.query in keys)
    )


@pytest.mark.parametrize(("row", "method", "address"), rows())
def test_every_row_of_the_specification_is_an_endpoint(row: str, method: str, address: str) -> None:
    assert endpoint_for(method, address).id.rstrip("ab") == row.rstrip("ab") or endpoint_for(method, address).id == row


def test_every_endpoint_is_a_row_or_a_reserved_extension() -> None:
    specified = {row for row, _, _ in rows()} | {row.rstrip("ab") for row, _, _ in rows()}
    assert {endpoint.id for endpoint in ENDPOINTS} - specified == BESIDE


def test_endpoints_stand_in_the_specifications_order() -> None:
    # end-11 comes before end-4, and end-4 without a query last: a row with a query parameter is tried first.
    numbers = [int(re.sub(r"\D", "", endpoint.id)) for endpoint in ENDPOINTS if endpoint.id.startswith("end-")]
    assert numbers == [1, 2, 3, 3, 11, 4, 4, 4, 5, 6, 7, 7, 8, 9, 9, 10, 12, 13, 14]


def test_the_version_is_the_one_that_was_copied() -> None:
    assert COMMIT in SPECIFICATION


def test_a_digests_end_7_takes_tags_and_a_tags_does_not() -> None:
    tagged = endpoint_for("PUT", "/v2/team/app/manifests/latest")
    digested = endpoint_for("PUT", "/v2/team/app/manifests/sha256:abc?tag=1")
    assert (tagged.id, digested.id) == ("end-7a", "end-7b")


@pytest.mark.parametrize(
    ("method", "address", "action"),
    [
        ("GET", "/v2/", Action.PING),
        ("GET", "/v2/a/tags/list", Action.PULL),
        ("GET", "/v2/a/blobs/uploads/x", Action.PUSH),  # a session's status is the pusher's
        ("POST", "/v2/a/blobs/uploads/", Action.PUSH),
        ("POST", "/v2/a/blobs/uploads/?mount=x", Action.PUSH),
        ("DELETE", "/v2/a/blobs/uploads/x", Action.PUSH),  # podman cancels with push rights only
        ("DELETE", "/v2/a/manifests/latest", Action.DELETE_TAG),
        ("DELETE", "/v2/a/manifests/sha256:x", Action.DELETE_MANIFEST),
        ("DELETE", "/v2/a/blobs/sha256:x", Action.DELETE_BLOB),
        ("GET", "/v2/_catalog", Action.CATALOG),
        ("POST", "/token", Action.ANYONE),
        ("GET", "/.well-known/jwks.json", Action.ANYONE),
        ("GET", "/v1/_ping", Action.ANYONE),
        ("GET", "/v1/search", Action.SEARCH),
    ],
)
def test_each_endpoint_asks_for_the_right_that_it_needs(method: str, address: str, action: Action) -> None:
    assert endpoint_for(method, address).action is action


def test_the_codes_are_the_fourteen_of_the_specification() -> None:
    copied = [line.strip("|").split("|")[1].strip().strip("`") for line in CODES.strip().splitlines()]
    assert len(copied) == 14
    assert set(copied) == SPECIFIED_CODES
    assert [code.name for code in ErrorCode][:14] == copied


@pytest.mark.parametrize("code", list(ErrorCode), ids=lambda code: code.name)
def test_only_a_5xx_may_carry_another_code(code: ErrorCode) -> None:
    assert code.wire in SPECIFIED_CODES or code.status >= 500
    assert code.wire == code.name or code.name not in SPECIFIED_CODES


def test_no_two_rows_are_one_to_python() -> None:
    """An Enum folds rows of equal value into one; each has to differ in its sentence."""
    assert len(ErrorCode.__members__) == len(list(ErrorCode))
