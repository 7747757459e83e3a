"""Ranges of blobs ("Pulling blobs": a registry SHOULD support `Range` in accordance with RFC 9110).

Answers with several parts are read back by a parser that is not ours (the standard library's, for MIME).
"""

import email.parser
import email.policy

import pytest

from tests.spec.asgi import Answer
from tests.spec.contents import digest_of
from tests.spec.registry import Registry

CONTENT = bytes(range(251)) * 8  # 2008 bytes, and no two neighbouring blocks alike
SIZE = len(CONTENT)


@pytest.fixture(scope="module")
def blob(registry: Registry) -> str:
    return f"/v2/ranges/blobs/{registry.push_blob('ranges', CONTENT)}"


def parts_of(answer: Answer) -> list[tuple[str, bytes]]:
    """Read multipart/byteranges: each part's Content-Range and bytes."""
    head = f"Content-Type: {answer['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + answer.body)
    assert message.get_content_type() == "multipart/byteranges"
    assert not message.defects
    return [(str(part["content-range"]), part.get_content()) for part in message.iter_parts()]


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, SIZE),
        ("bytes=0-", 0, SIZE),
        ("bytes=-500", SIZE - 500, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-99999", 0, SIZE),
        ("bytes=2000-5000", 2000, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes= 3-5", 3, 6),
        ("bytes=3-5,", 3, 6),
        ("bytes=0-9,5-19", 0, 20),
        ("bytes=0-9,9-19,0-3", 0, 20),
        ("bytes=3-5,9999-", 3, 6),
        ("bytes=0-9999999999999999999", 0, SIZE),
    ],
)
def test_end_2_one_range_is_206(registry: Registry, blob: str, header: str, start: int, stop: int) -> None:
    answer = registry.get(blob, Range=header).expect(206)
    assert answer.body == CONTENT[start:stop]
    assert answer["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer["content-length"] == str(stop - start)
    assert answer["docker-content-digest"] == digest_of(CONTENT)
    assert answer["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "header", [f"bytes={SIZE}-", "bytes=5000-10000", "bytes=500-0", "bytes=-0", "bytes=9999-,8000-"]
)
def test_end_2_a_range_that_touches_nothing_is_416(registry: Registry, blob: str, header: str) -> None:
    answer = registry.get(blob, Range=header).expect(416, "SIZE_INVALID")
    assert answer["content-range"] == f"bytes */{SIZE}"
    assert str(SIZE) in answer.message


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1-2-3",
        "bytes=1 -2",
        "items=0-1",
        "0-1",
        "bytes=0-1;x",
        "bytes=٣-٤".encode().decode("latin-1"),
        "bytes=0-1,x",
        "bytes=0x0-0x1",
        "bytes=99999999999999999999-",
    ],
)
def test_end_2_what_is_no_range_is_ignored(registry: Registry, blob: str, header: str) -> None:
    """RFC 9110, section 14.2: a server MUST ignore units that it does not know, and may ignore what is invalid."""
    answer = registry.get(blob, Range=header).expect(200)
    assert answer.body == CONTENT


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-9,20-29", [(0, 10), (20, 30)]),
        ("bytes=0-9, 20-29 , -10", [(0, 10), (20, 30), (SIZE - 10, SIZE)]),
        ("bytes=20-29,0-9", [(20, 30), (0, 10)]),  # the order asked for, where nothing overlaps
        ("bytes=0-9,10-19", [(0, 10), (10, 20)]),
        ("bytes=100-199,0-9,150-249", [(0, 10), (100, 250)]),
        ("bytes=0-9,5000-,20-29", [(0, 10), (20, 30)]),
    ],
)
def test_end_2_several_ranges_are_multipart(
    registry: Registry, blob: str, header: str, spans: list[tuple[int, int]]
) -> None:
    answer = registry.get(blob, Range=header).expect(206)
    assert answer.get("content-range") is None
    boundary = answer["content-type"].partition("boundary=")[2]
    assert all(character.isalnum() or character in "-:" for character in boundary)  # what podman's reader takes
    expected = [(f"bytes {start}-{stop - 1}/{SIZE}", CONTENT[start:stop]) for start, stop in spans]
    assert split(answer, boundary) == expected


def split(answer: Answer, boundary: str) -> list[tuple[str, bytes]]:
    """Read the parts by RFC 2046, section 5.1.1, for content that MIME parsers would take for text."""
    before, *parts, after = (b"\r\n" + answer.body).split(b"\r\n--" + boundary.encode())
    assert before in (b"", b"\r\n")
    assert after == b"--\r\n"
    found = []
    for part in parts:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        assert fields.keys() == {"content-type", "content-range"}
        found.append((fields["content-range"], content))
    return found


def test_end_2_multipart_is_what_a_mime_parser_reads(registry: Registry, name: str) -> None:
    digest = registry.push_blob(name, b"abcdefghijklmnopqrstuvwxyz")
    answer = registry.get(f"/v2/{name}/blobs/{digest}", Range="bytes=0-2,10-12,-2").expect(206)
    assert parts_of(answer) == [("bytes 0-2/26", b"abc"), ("bytes 10-12/26", b"klm"), ("bytes 24-25/26", b"yz")]


def test_end_2_too_many_ranges_are_400(registry: Registry, blob: str) -> None:
    """podman reads 400 as "ask for fewer at a time"; a thousand tiny parts would be an amplifier."""
    ranges = ",".join(f"{2 * n}-{2 * n}" for n in range(256))
    registry.get(blob, Range=f"bytes={ranges}").expect(206)
    registry.get(blob, Range=f"bytes={ranges},600-600").expect(400, "UNSUPPORTED")


@pytest.mark.parametrize(("condition", "status"), [('"{}"', 206), ('W/"{}"', 200), ('"old"', 200), ("{}", 200)])
def test_end_2_if_range_wants_the_same_content(registry: Registry, blob: str, condition: str, status: int) -> None:
    header = condition.format(digest_of(CONTENT))
    answer = registry.get(blob, Range="bytes=5-9", If_Range=header).expect(status)
    assert answer.body == (CONTENT[5:10] if status == 206 else CONTENT)


def test_end_2_if_none_match_comes_before_the_range(registry: Registry, blob: str) -> None:
    registry.get(blob, Range="bytes=5-9", If_None_Match=f'"{digest_of(CONTENT)}"').expect(304)


def test_end_2_head_ignores_ranges(registry: Registry, blob: str) -> None:
    assert registry.head(blob, Range="bytes=5-9").expect(200)["content-length"] == str(SIZE)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5", "bytes=0-0"])
def test_end_2_no_range_of_an_empty_blob_can_be_had(registry: Registry, name: str, header: str) -> None:
    digest = registry.push_blob(name, b"")
    assert registry.get(f"/v2/{name}/blobs/{digest}", Range=header).expect(416)["content-range"] == "bytes */0"


def test_end_2_a_range_of_a_large_blob_crosses_blocks(registry: Registry, name: str) -> None:
    content = CONTENT * 1600  # 3.1 MB
    digest = registry.push_blob(name, content)
    answer = registry.get(f"/v2/{name}/blobs/{digest}", Range="bytes=1000000-2999999").expect(206)
    assert answer.body == content[1000000:3000000]
    parts = registry.get(f"/v2/{name}/blobs/{digest}", Range="bytes=5-1500000,2000000-3100000").expect(206)
    boundary = parts["content-type"].partition("boundary=")[2]
    assert [content for _, content in split(parts, boundary)] == [content[5:1500001], content[2000000:3100001]]
