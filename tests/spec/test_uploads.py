"""Upload sessions: opening, whole blobs, status and cancelling (end-4, end-6, end-13, end-14; "Pushing Blobs").

Chunks have a file of their own.
"""

import re
import uuid

import pytest

from tests.spec.contents import digest_of
from tests.spec.registry import Registry

CONTENT = b"a layer\n" * 300
DIGEST = digest_of(CONTENT)


def exists(registry: Registry, name: str, digest: str = DIGEST) -> bool:
    return registry.head(f"/v2/{name}/blobs/{digest}").status == 200


@pytest.mark.parametrize("slash", ["", "/"])
def test_end_4a_post_opens_a_session(registry: Registry, name: str, slash: str) -> None:
    answer = registry.post(f"/v2/{name}/blobs/uploads{slash}").expect(202)
    found = re.fullmatch(rf"/v2/{name}/blobs/uploads/([0-9a-f-]{{36}})", answer["location"])
    assert found is not None, "Location has to be relative, so that a proxy in front cannot spoil it"
    assert uuid.UUID(found[1]).version == 4
    assert answer["docker-upload-uuid"] == found[1]
    assert answer["range"] == "0-0"
    assert answer.get("oci-chunk-min-length") is None  # chunks of any size are taken


def test_end_4a_sessions_differ(registry: Registry, name: str) -> None:
    assert registry.start(name) != registry.start(name)


def test_end_4b_whole_blob_in_one_request(registry: Registry, name: str) -> None:
    answer = registry.post(f"/v2/{name}/blobs/uploads/?digest={DIGEST}", CONTENT).expect(201)
    assert answer["location"] == f"/v2/{name}/blobs/{DIGEST}"
    assert answer["docker-content-digest"] == DIGEST
    assert registry.get(answer["location"]).expect(200).body == CONTENT


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_end_4b_without_content_length(registry: Registry, name: str, algorithm: str) -> None:
    digest = digest_of(CONTENT, algorithm)
    registry.post(f"/v2/{name}/blobs/uploads/?digest={digest}", [CONTENT[:9], b"", CONTENT[9:]]).expect(201)
    assert registry.get(f"/v2/{name}/blobs/{digest}").body == CONTENT


def test_end_4b_wrong_digest_is_400_and_leaves_nothing(registry: Registry, name: str) -> None:
    answer = registry.post(f"/v2/{name}/blobs/uploads/?digest={DIGEST}", CONTENT[:-1]).expect(400, "DIGEST_INVALID")
    assert answer.errors[0]["detail"] == {"expected": DIGEST, "actual": digest_of(CONTENT[:-1])}
    assert not exists(registry, name)
    assert not exists(registry, name, digest_of(CONTENT[:-1]))


@pytest.mark.parametrize(("length", "sent"), [(10, 9), (10, 11), (0, 1)])
def test_end_4b_wrong_length_is_400(registry: Registry, name: str, length: int, sent: int) -> None:
    """Content-Length MUST match; a server in front of the app may miss what HTTP/1.1 itself would catch."""
    body = CONTENT[:sent]
    path = f"/v2/{name}/blobs/uploads/?digest={digest_of(body)}"
    registry.post(path, [body], Content_Length=str(length)).expect(400, "SIZE_INVALID")
    assert not exists(registry, name, digest_of(body))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_end_4c_digest_algorithm(registry: Registry, name: str, algorithm: str) -> None:
    location = registry.start(name, f"?digest-algorithm={algorithm}")
    registry.patch(location, CONTENT).expect(202)
    digest = digest_of(CONTENT, algorithm)
    assert registry.put(f"{location}?digest={digest}").expect(201)["docker-content-digest"] == digest
    assert registry.get(f"/v2/{name}/blobs/{digest}").body == CONTENT


@pytest.mark.parametrize("algorithm", ["md5", "sha384", "SHA256", "sha256:", "blake3", "%00", "x" * 5000])
def test_end_4c_unknown_algorithm_is_400(registry: Registry, name: str, algorithm: str) -> None:
    answer = registry.post(f"/v2/{name}/blobs/uploads/?digest-algorithm={algorithm}").expect(400, "DIGEST_INVALID")
    assert "sha256 and sha512" in answer.message
    assert len(answer.message) < 300


@pytest.mark.parametrize("announced", ["sha256", "sha512"])
@pytest.mark.parametrize("closing", ["sha256", "sha512"])
@pytest.mark.parametrize("chunks", [(CONTENT,), (CONTENT[:7], CONTENT[7:])])
def test_end_6_the_closing_digest_may_be_of_another_algorithm(
    registry: Registry, name: str, announced: str, closing: str, chunks: tuple[bytes, ...]
) -> None:
    """ "sha512 blobs arrive without digest-algorithm": the closing PUT decides."""
    location = registry.start(name, f"?digest-algorithm={announced}")
    for chunk in chunks[:-1]:
        location = registry.patch(location, chunk).expect(202)["location"]
    digest = digest_of(CONTENT, closing)
    registry.put(f"{location}?digest={digest}", chunks[-1]).expect(201)
    assert registry.get(f"/v2/{name}/blobs/{digest}").body == CONTENT


def test_end_6_post_then_put(registry: Registry, name: str) -> None:
    location = registry.start(name)
    answer = registry.put(f"{location}?digest={DIGEST}", CONTENT, Content_Type="application/octet-stream").expect(201)
    assert answer["location"] == f"/v2/{name}/blobs/{DIGEST}"
    registry.get(location).expect(404, "BLOB_UPLOAD_UNKNOWN")


def test_end_6_empty_blob(registry: Registry, name: str) -> None:
    registry.put(f"{registry.start(name)}?digest={digest_of(b'')}").expect(201)
    assert exists(registry, name, digest_of(b""))


def test_end_6_without_a_digest_is_400_and_the_session_goes_on(registry: Registry, name: str) -> None:
    location = registry.start(name)
    registry.put(location, CONTENT).expect(400, "DIGEST_INVALID")
    registry.put(f"{location}?digest={DIGEST}", CONTENT).expect(201)


def test_end_6_wrong_digest_is_400_and_the_session_goes_on_from_its_chunks(registry: Registry, name: str) -> None:
    location = registry.patch(registry.start(name), CONTENT[:100]).expect(202)["location"]
    answer = registry.put(f"{location}?digest={DIGEST}", b"something else").expect(400, "DIGEST_INVALID")
    assert digest_of(CONTENT[:100] + b"something else") in answer.message
    assert registry.get(location).expect(204)["range"] == "0-99"
    registry.put(f"{location}?digest={DIGEST}", CONTENT[100:]).expect(201)


def test_end_6_the_same_blob_twice_is_one(registry: Registry, name: str) -> None:
    for _ in range(2):
        registry.put(f"{registry.start(name)}?digest={DIGEST}", CONTENT).expect(201)
    assert registry.get(f"/v2/{name}/blobs/{DIGEST}").body == CONTENT


def test_end_6_a_closed_session_is_gone(registry: Registry, name: str) -> None:
    location = registry.start(name)
    registry.put(f"{location}?digest={DIGEST}", CONTENT).expect(201)
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        registry.request(method, f"{location}?digest={DIGEST}", b"").expect(404, "BLOB_UPLOAD_UNKNOWN")
    assert exists(registry, name)


def test_end_13_status_tells_how_far_it_is(registry: Registry, name: str) -> None:
    location = registry.start(name)
    answer = registry.get(location).expect(204)
    assert (answer["range"], answer["location"]) == ("0-0", location)
    registry.patch(location, CONTENT[:100]).expect(202)
    answer = registry.get(location).expect(204)
    assert (answer["range"], answer["location"]) == ("0-99", location)
    assert answer["docker-upload-uuid"] in location


def test_end_14_cancel_frees_the_session(registry: Registry, name: str) -> None:
    location = registry.patch(registry.start(name), CONTENT).expect(202)["location"]
    registry.delete(location).expect(204)
    registry.delete(location).expect(404, "BLOB_UPLOAD_UNKNOWN")
    registry.put(f"{location}?digest={DIGEST}").expect(404, "BLOB_UPLOAD_UNKNOWN")
    assert not exists(registry, name)


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_a_session_belongs_to_its_repository(registry: Registry, name: str, method: str) -> None:
    location = registry.start(name)
    strange = location.replace(name, f"{name}/other") + f"?digest={DIGEST}"
    registry.request(method, strange, CONTENT if method in ("PATCH", "PUT") else b"").expect(404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.get(location).expect(204)["range"] == "0-0"


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "session",
    ["x", "0" * 32, "7CE1EF1E-6DD4-4B5C-9E0B-0A3A5C2F1D11", "..", "%00", "%ff", "a" * 3000, "%F0%9F%90%99", "-", "'--"],
)
def test_a_session_id_that_is_none_is_404(registry: Registry, name: str, method: str, session: str) -> None:
    target = f"/v2/{name}/blobs/uploads/{session}?digest={DIGEST}"
    registry.request(method, target, CONTENT if method in ("PATCH", "PUT") else b"").expect(404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("whole", ["patch", "put", "post"])
def test_a_client_that_vanishes_is_not_answered_and_publishes_nothing(
    registry: Registry, name: str, whole: str
) -> None:
    location = registry.start(name)
    target, method = {
        "patch": (location, "PATCH"),
        "put": (f"{location}?digest={DIGEST}", "PUT"),
        "post": (f"/v2/{name}/blobs/uploads/?digest={DIGEST}", "POST"),
    }[whole]
    assert registry.request(method, target, [CONTENT[:500]], vanish=True).status == 0
    assert not exists(registry, name)
    if whole != "post":
        # What came is kept, and the status says how much that is.
        assert registry.get(location).expect(204)["range"] == "0-499"
        registry.put(f"{location}?digest={DIGEST}", CONTENT[500:], Content_Range=f"500-{len(CONTENT) - 1}").expect(201)


def test_a_client_that_vanishes_before_the_first_byte_leaves_the_session_as_it_was(
    registry: Registry, name: str
) -> None:
    location = registry.start(name)
    assert registry.request("PATCH", location, [], vanish=True).status == 0
    assert registry.get(location).expect(204)["range"] == "0-0"


def test_a_client_that_vanishes_late_in_a_large_body_is_kept(registry: Registry, name: str) -> None:
    location = registry.start(name)
    pieces = [bytes([number]) * 700_000 for number in range(5)]
    assert registry.request("PATCH", location, pieces, vanish=True).status == 0
    assert registry.get(location).expect(204)["range"] == f"0-{5 * 700_000 - 1}"
    registry.put(f"{location}?digest={digest_of(b''.join(pieces))}").expect(201)


def test_a_large_blob_in_uneven_pieces(registry: Registry, name: str) -> None:
    pieces = [bytes([number]) * (number * 90_001 + 1) for number in range(12)]
    digest = digest_of(b"".join(pieces))
    registry.put(f"{registry.start(name)}?digest={digest}", pieces).expect(201)
    assert registry.get(f"/v2/{name}/blobs/{digest}").body == b"".join(pieces)
