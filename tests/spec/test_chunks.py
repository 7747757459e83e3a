"""Chunks (end-5, end-6; "Pushing a blob in chunks"): in order, of the right length, by one writer at a time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.spec.contents import digest_of
from tests.spec.registry import Registry

CONTENT = bytes(range(250)) * 4
DIGEST = digest_of(CONTENT)


def status(registry: Registry, location: str) -> str:
    return registry.get(location).expect(204)["range"]


def test_end_5_chunks_with_content_range(registry: Registry, name: str) -> None:
    location = registry.start(name)
    for start in range(0, 1000, 250):
        chunk = CONTENT[start : start + 250]
        answer = registry.patch(location, chunk, Content_Range=f"{start}-{start + 249}").expect(202)
        assert answer["range"] == f"0-{start + 249}"
        location = answer["location"]
    registry.put(f"{location}?digest={DIGEST}").expect(201)
    assert registry.get(f"/v2/{name}/blobs/{DIGEST}").body == CONTENT


def test_end_5_chunks_without_content_range_as_docker_sends_them(registry: Registry, name: str) -> None:
    location = registry.start(name)
    answer = registry.patch(location, [CONTENT[:600], CONTENT[600:]], Transfer_Encoding="chunked").expect(202)
    assert (answer["range"], answer["docker-upload-uuid"] in location) == ("0-999", True)
    registry.put(f"{location}?digest={DIGEST}").expect(201)


def test_end_5_empty_chunk_gives_a_range_that_docker_can_read(registry: Registry, name: str) -> None:
    assert registry.patch(registry.start(name), b"").expect(202)["range"] == "0-0"


def test_end_6_last_chunk_in_the_put(registry: Registry, name: str) -> None:
    location = registry.patch(registry.start(name), CONTENT[:400], Content_Range="0-399").expect(202)["location"]
    registry.put(f"{location}?digest={DIGEST}", CONTENT[400:], Content_Range="400-999").expect(201)
    assert registry.get(f"/v2/{name}/blobs/{DIGEST}").body == CONTENT


@pytest.mark.parametrize("start", [1, 399, 401, 0, 10**18], ids=["early", "overlap", "gap", "again", "far"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_end_5_and_6_chunk_out_of_order_is_416_and_the_session_survives(
    registry: Registry, name: str, start: int, method: str
) -> None:
    location = registry.patch(registry.start(name), CONTENT[:400], Content_Range="0-399").expect(202)["location"]
    headers = {"content-range": f"{start}-{start + 99}"}
    answer = registry.request(method, f"{location}?digest={DIGEST}", CONTENT[:100], headers)
    answer.expect(416, "BLOB_UPLOAD_INVALID")
    assert answer["range"] == "0-399"
    assert answer["location"] == location
    assert "byte 400" in answer.message
    assert status(registry, location) == "0-399"
    registry.put(f"{location}?digest={DIGEST}", CONTENT[400:], Content_Range="400-999").expect(201)


def test_end_5_first_chunk_out_of_order_is_416(registry: Registry, name: str) -> None:
    location = registry.start(name)
    assert registry.patch(location, CONTENT[:9], Content_Range="1-9").expect(416)["range"] == "0-0"


@pytest.mark.parametrize(
    "header",
    [
        "bytes 0-9/10",
        "bytes=0-9",
        "0-",
        "-9",
        "9-0",
        "0-9/10",
        "0 - 9",
        "",
        "x-y",
        "0-9,10-19",
        "0–9".encode().decode("latin-1"),
        "00000000000000000000-9",
        "1e1-2e1",
        "+0-9",
        "0-9;",
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_end_5_and_6_content_range_of_another_form_is_400(
    registry: Registry, name: str, header: str, method: str
) -> None:
    location = registry.start(name)
    answer = registry.request(method, f"{location}?digest={DIGEST}", CONTENT[:10], {"content-range": header})
    answer.expect(400, "BLOB_UPLOAD_INVALID")
    assert "0-1023" in answer.message
    assert status(registry, location) == "0-0"


@pytest.mark.parametrize("length", [9, 11, 0])
def test_end_5_content_length_that_contradicts_content_range_is_400(registry: Registry, name: str, length: int) -> None:
    location = registry.start(name)
    registry.patch(location, CONTENT[:length], Content_Range="0-9").expect(400, "SIZE_INVALID")
    assert status(registry, location) == "0-0"


@pytest.mark.parametrize("sent", [9, 11, 0, 700])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_end_5_and_6_a_body_of_another_length_is_400_and_undone(
    registry: Registry, name: str, sent: int, method: str
) -> None:
    location = registry.patch(registry.start(name), CONTENT[:300]).expect(202)["location"]
    target = f"{location}?digest={DIGEST}"
    answer = registry.request(method, target, [CONTENT[:sent]], {"content-range": "300-309"})
    answer.expect(400, "SIZE_INVALID")
    assert "10 bytes were announced" in answer.message
    assert status(registry, location) == "0-299"
    registry.put(target, CONTENT[300:]).expect(201)


@pytest.mark.parametrize("length", ["-1", "+5", "5.0", "0x5", "five", "", "5,5", "9" * 20, " 5"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_content_length_that_is_no_number_is_400(registry: Registry, name: str, length: str, method: str) -> None:
    location = registry.start(name)
    target = f"{location}?digest={DIGEST}"
    registry.request(method, target, [CONTENT[:5]], {"content-length": length}).expect(400, "SIZE_INVALID")
    assert status(registry, location) == "0-0"


def test_a_large_chunk_that_breaks_its_word_late_is_undone(registry: Registry, name: str) -> None:
    """The bytes were on their way to the disk when the last piece turned out to be missing, or one too many."""
    location = registry.patch(registry.start(name), CONTENT).expect(202)["location"]
    million = b"x" * 2**20
    for count in (3, 5):
        headers = {"content-range": f"1000-{1000 + 4 * 2**20 - 1}"}
        registry.request("PATCH", location, [million] * count, headers).expect(400, "SIZE_INVALID")
        assert status(registry, location) == "0-999"
    registry.put(f"{location}?digest={DIGEST}").expect(201)


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_two_writers_at_once_one_is_refused(registry: Registry, name: str, method: str) -> None:
    location = registry.start(name)
    first_is_in, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"1" * 2**20
        first_is_in.set()
        await may_end.wait()
        yield b"1"

    async def second() -> int:
        await first_is_in.wait()
        await asyncio.sleep(0.05)  # the blocks have to reach their thread
        target = f"{location}?digest={digest_of(b'2')}"
        answer = await registry.send(method, target, b"2" if method != "DELETE" else b"")
        may_end.set()
        if method == "DELETE":
            answer.expect(400, "BLOB_UPLOAD_INVALID")
        else:
            assert answer.expect(416, "BLOB_UPLOAD_INVALID")["location"] == location
        assert "another request" in answer.message
        return answer.status

    async def both() -> None:
        answer, _ = await asyncio.gather(registry.send("PATCH", location, slow()), second())
        assert answer.expect(202)["range"] == f"0-{4 * 2**20}"

    registry.run(both())
    registry.put(f"{location}?digest={digest_of(b'1' * (4 * 2**20 + 1))}").expect(201)


def test_many_writers_of_the_same_chunk_one_wins(registry: Registry, name: str) -> None:
    location = registry.start(name)
    headers = {"content-range": "0-999"}
    answers = registry.together(*(registry.send("PATCH", location, CONTENT, headers) for _ in range(12)))
    assert sorted(answer.status for answer in answers) == [202] + [416] * 11
    registry.put(f"{location}?digest={DIGEST}").expect(201)


def test_many_closing_puts_one_wins(registry: Registry, name: str) -> None:
    location = registry.patch(registry.start(name), CONTENT).expect(202)["location"]
    answers = registry.together(*(registry.send("PUT", f"{location}?digest={DIGEST}") for _ in range(8)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses[0] == 201
    assert set(statuses[1:]) <= {404, 416}
    assert registry.get(f"/v2/{name}/blobs/{DIGEST}").body == CONTENT


def test_one_blob_by_many_sessions_is_201_for_all(registry: Registry, name: str) -> None:
    target = f"/v2/{name}/blobs/uploads/?digest={DIGEST}"
    answers = registry.together(*(registry.send("POST", target, CONTENT) for _ in range(12)))
    assert {answer.status for answer in answers} == {201}
    assert registry.get(f"/v2/{name}/blobs/{DIGEST}").body == CONTENT
