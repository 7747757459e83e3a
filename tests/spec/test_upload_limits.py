"""Limits of blobs and upload sessions, at L and at L + 1, with a clear error each."""

import pytest

from tests.spec.asgi import Answer
from tests.spec.conftest import Start
from tests.spec.contents import EMPTY, digest_of
from tests.spec.registry import Registry

LIMIT = 3 * 2**20


@pytest.fixture
def small(start: Start) -> Registry:
    """A server whose blobs have at most 3 MiB."""
    return start(limits={"blob_bytes": LIMIT})


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("way", ["post", "put", "patch"])
def test_a_blob_at_the_limit_is_taken_and_one_byte_more_is_413(
    small: Registry, name: str, announced: bool, way: str
) -> None:
    content = b"x" * (LIMIT + 1)

    def send(sent: bytes) -> Answer:
        body = sent if announced else [sent[: 2**20], sent[2**20 :]]
        digest = digest_of(sent)
        if way == "post":
            return small.post(f"/v2/{name}/blobs/uploads/?digest={digest}", body)
        location = small.start(name)
        if way == "patch":
            return small.patch(location, body)
        return small.put(f"{location}?digest={digest}", body)

    answer = send(content).expect(413, "SIZE_INVALID")
    assert str(LIMIT) in answer.message
    small.head(f"/v2/{name}/blobs/{digest_of(content)}").expect(404)
    assert send(content[:-1]).status in (201, 202)


def test_chunks_together_may_not_pass_the_blob_limit(small: Registry, name: str) -> None:
    location = small.patch(small.start(name), b"x" * LIMIT).expect(202)["location"]
    for body in (b"y", [b"y"]):
        small.patch(location, body).expect(413, "SIZE_INVALID")
        small.put(f"{location}?digest={digest_of(b'y')}", body).expect(413, "SIZE_INVALID")
    small.put(f"{location}?digest={digest_of(b'x' * LIMIT)}").expect(201)


def test_a_blob_that_announces_too_much_is_413_at_the_first_byte(small: Registry, name: str) -> None:
    headers = {"content-range": f"0-{LIMIT}"}
    small.request("PATCH", small.start(name), [b"x"], headers).expect(413, "SIZE_INVALID")


def test_sessions_of_one_address_are_limited_and_the_rest_is_429(start: Start, name: str) -> None:
    registry = start(limits={"uploads_per_subject": 3})
    locations = [registry.start(name) for _ in range(3)]
    answer = registry.post(f"/v2/{name}/blobs/uploads/").expect(429, "TOOMANYREQUESTS")
    assert int(answer["retry-after"]) > 0
    assert "3 uploads" in answer.message
    registry.post(f"/v2/{name}/blobs/uploads/?digest={digest_of(EMPTY)}", EMPTY).expect(429)
    registry.delete(locations[0]).expect(204)
    registry.start(name)


def test_failed_single_posts_leave_no_sessions_behind(start: Start, name: str) -> None:
    registry = start(limits={"uploads_per_subject": 2})
    for _ in range(5):
        registry.post(f"/v2/{name}/blobs/uploads/?digest={digest_of(b'x')}", b"y").expect(400, "DIGEST_INVALID")
        registry.request("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(b'x')}", [b"y"], vanish=True)
    registry.start(name)
