"""Requests that nobody sends on purpose: whatever comes, the answer is a 2xx, 3xx or 4xx with a sentence, never a 5xx.

`tests.spec.asgi` checks the form of every answer; here the server's state is looked at too.
"""

import uuid
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oci.strategies import digests, names, near_names, near_tags, tags
from tests.oci.test_manifests import mutated
from tests.spec.contents import EMPTY, OCI_INDEX, OCI_MANIFEST, descriptor, digest_of, image, index, written
from tests.spec.registry import Registry

pytestmark = pytest.mark.parametrize("driver", ["files"], indirect=True, scope="session")

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"]
near_digests = st.one_of(digests, digests.map(lambda text: text[:-1]), st.text(max_size=8).map("sha256:{}".format))
segments = st.one_of(near_names, near_tags, near_digests, st.sampled_from(["blobs", "uploads", "manifests", "tags"]))
paths = st.one_of(
    st.lists(segments, max_size=5).map("/".join),
    st.builds("{}/blobs/{}".format, near_names, near_digests),
    st.builds("{}/blobs/uploads/{}".format, near_names, st.text(max_size=8)),
    st.builds("{}/manifests/{}".format, near_names, st.one_of(near_digests, near_tags)),
    st.builds("{}/referrers/{}".format, near_names, near_digests),
    st.builds("{}/tags/list".format, near_names),
    st.just("_catalog"),
)
KEYS = ["n", "last", "digest", "digest-algorithm", "mount", "from", "tag", "artifactType", "ns", "x"]
values = st.one_of(near_digests, near_names, near_tags, st.integers(-5, 5000).map(str), st.text(max_size=8))
queries = st.lists(st.tuples(st.sampled_from(KEYS), values), max_size=4)
header_texts = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20),
    st.sampled_from(["bytes=0-5", "0-5", "5", "*", "bytes=0-,-1", OCI_MANIFEST, OCI_INDEX]),
)
HEADERS = ["range", "content-range", "content-length", "content-type", "if-none-match", "if-range", "accept"]
headers = st.dictionaries(st.sampled_from(HEADERS), header_texts, max_size=3)


@given(st.sampled_from(METHODS), paths, queries, headers, st.binary(max_size=20))
def test_any_request_is_answered(
    registry: Registry, method: str, path: str, query: list[tuple[str, str]], given: dict[str, str], body: bytes
) -> None:
    target = "/v2/" + quote(path, safe="/:%@", errors="replace").replace("%25", "%")
    target += "?" + "&".join(f"{key}={quote(value)}" for key, value in query)
    answer = registry.request(method, target, [body] if "content-length" in given else body, given)
    assert answer.status < 500


@given(mutated(), st.sampled_from([OCI_MANIFEST, OCI_INDEX, None, "application/vnd.example"]), tags)
def test_a_mutated_manifest_is_taken_whole_or_not_at_all(
    registry: Registry, content: bytes, media_type: str | None, tag: str
) -> None:
    name = f"fuzz/{uuid.uuid4().hex}"
    for blob in (EMPTY, b"x"):
        registry.push_blob(name, blob)
    answer = registry.put_manifest(name, tag, content, media_type)
    assert answer.status in (201, 400, 404)
    if answer.status == 201:
        assert registry.get(f"/v2/{name}/manifests/{tag}").expect(200).body == content
        registry.delete(f"/v2/{name}/manifests/{digest_of(content)}").expect(202)
    registry.get(f"/v2/{name}/manifests/{digest_of(content)}").expect(404)
    assert registry.get(f"/v2/{name}/tags/list").json()["tags"] == []
    for blob in (EMPTY, b"x"):  # nothing holds them, for nothing was left half written
        registry.delete(f"/v2/{name}/blobs/{digest_of(blob)}").expect(202)


@given(digests, names)
def test_a_digest_in_an_address_is_found_again_in_the_answer(registry: Registry, digest: str, name: str) -> None:
    name = f"fuzz/{name}"
    answer = registry.get(f"/v2/{name}/blobs/{quote(digest)}").expect(404, "BLOB_UNKNOWN")
    assert answer.errors[0]["detail"]["digest"] == digest
    answer = registry.get(f"/v2/{name}/manifests/{digest}").expect(404, "MANIFEST_UNKNOWN")
    assert answer.errors[0]["detail"]["reference"] == digest


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=8))
def test_exactly_the_missing_children_are_named(registry: Registry, children: list[tuple[bool, int]]) -> None:
    name = f"fuzz/{uuid.uuid4().hex}"
    registry.push_blob(name, EMPTY)
    there = [written(image(annotations={"there": str(number)})) for number in range(4)]
    for content in there:
        registry.put_manifest(name, digest_of(content), content).expect(201)
    contents = [there[number] if known else b"absent %d" % number for known, number in children]
    document = index(*(descriptor(content, OCI_MANIFEST) for content in contents))
    answer = registry.put_manifest(name, "multi", document, OCI_INDEX)
    missing = [f"manifests[{place}]" for place, (known, _) in enumerate(children) if not known]
    if missing:
        answer.expect(404, "MANIFEST_BLOB_UNKNOWN")
        assert [error["detail"]["place"] for error in answer.errors] == missing
    else:
        answer.expect(201)
