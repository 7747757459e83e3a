"""Where real S3 servers could differ: parts of real sizes, the end told twice, long lists, addresses, keys of others.

Each test runs on two servers that share no code. What they were found to do differently is in docs/s3.md.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from storage.digest import Digest
from storage.errors import NotFound, StorageError, Unavailable
from storage.s3.bucket import Bucket
from storage.s3.diagnosis import ForeignBucket, claim, survey
from storage.s3.driver import S3Driver
from storage.s3.options import LEAST_PART, S3Options
from storage.s3.parts import Multipart
from tests.parts.ceph import Ceph
from tests.parts.versitygw import VersityGateway
from tests.storage.steps import at, new_id, publish, suspended, whole

pytestmark = pytest.mark.slow

Server = Ceph | VersityGateway
DATA = bytes(range(256)) * ((2 * LEAST_PART + 70_000) // 256)
"""Two parts and a rest."""
A_PAGE = 1000  # what a listing gives at once


@pytest.fixture(scope="module", params=["ceph", "versitygw"])
def server(request: pytest.FixtureRequest) -> Server:
    """Give one server and then the other."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def options(server: Server) -> S3Options:
    """Say how to get to an empty bucket; parts are as small as S3 allows."""
    return server.options(server.bucket(), prefix="a/b/", part_bytes=LEAST_PART)


@pytest.fixture
def driver(options: S3Options) -> Iterator[S3Driver]:
    """Give the driver for it."""
    yield S3Driver(options)


def test_parts_are_joined_whoever_sent_them(options: S3Options, driver: S3Driver) -> None:
    upload_id, split = new_id(), LEAST_PART + 3
    state = suspended(driver, upload_id, DATA[:split])
    writer = S3Driver(options).resume(upload_id, at(split, state))
    writer.write(memoryview(DATA)[split:])
    key = writer.commit(Digest.of(DATA))
    writer.abort()
    assert driver.stat(key) == len(DATA)
    assert whole(driver, key) == DATA
    assert b"".join(driver.read(key, LEAST_PART - 5, LEAST_PART + 5)) == DATA[LEAST_PART - 5 : LEAST_PART + 5]
    assert [item["Key"] for item in Bucket(options).objects("")] == [key]
    assert list(Bucket(options).multiparts("")) == []


def test_end_that_is_told_twice_is_told_well_twice(options: S3Options, driver: S3Driver) -> None:
    writer = driver.begin(new_id())
    writer.write(memoryview(DATA))
    writer._send_part()  # type: ignore[attr-defined]  # so that the parts are known before the end
    multipart: Multipart = writer._multipart  # type: ignore[attr-defined]  # as one whose reply was lost has it
    multipart.land()
    digest = Digest.of(DATA)
    for _ in range(2):
        multipart.complete(len(DATA), digest)
    assert whole(driver, multipart.key) == DATA
    writer.close()


def test_what_was_discarded_cannot_be_ended(options: S3Options, driver: S3Driver) -> None:
    upload_id = new_id()
    writer = driver.begin(upload_id)
    writer.write(memoryview(DATA))
    state = writer.checkpoint()
    other = S3Driver(options)
    for _ in range(2):
        other.discard(upload_id, state)
    with pytest.raises(NotFound):
        writer.commit(Digest.of(DATA))
    writer.abort()
    with pytest.raises(NotFound):
        driver.resume(upload_id, at(len(DATA), state))
    assert list(driver.uploads()) == []


def test_part_that_was_damaged_on_its_way_is_refused(options: S3Options) -> None:
    bucket = Bucket(replace(options, read_timeout=1.0, deadline=1.0))
    with pytest.raises(Unavailable):
        bucket.call("put_object", "key", body=lambda: b"other", Key="a/b/key", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert list(bucket.objects("")) == []


def test_uploads_have_ages(options: S3Options, driver: S3Driver) -> None:
    for data in (b"short", DATA):
        suspended(driver, new_id(), data)
    assert len(list(driver.uploads())) == 2
    assert list(S3Driver(replace(options, stranger_age=timedelta(hours=1))).uploads()) == []


def test_lists_go_on_after_a_page(options: S3Options) -> None:
    bucket = Bucket(options)
    names = [f"blobs/{number:04}" for number in range(A_PAGE + 5)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: bucket.call("put_object", name, body=lambda: b"", Key=bucket.full(name)), names))
    assert [item["Key"] for item in bucket.objects("blobs/")] == names
    assert [item["Key"] for item in bucket.objects("blobs/000")] == names[:10]


def test_lists_of_open_uploads_go_on_after_a_page(options: S3Options) -> None:
    bucket = Bucket(options)
    names = [f"blobs/{number:04}" for number in range(A_PAGE + 5)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: bucket.call("create_multipart_upload", name, Key=bucket.full(name)), names))
    assert [item["Key"] for item in bucket.multiparts("blobs/")] == names
    assert [item["Key"] for item in bucket.multiparts("blobs/000")] == names[:10]


def test_address_is_good_for_one_object_and_for_ranges_of_it(driver: S3Driver) -> None:
    key, other = publish(driver, DATA), publish(driver, b"other")
    address = driver.presign(key, timedelta(minutes=20))
    with urlopen(address, timeout=30) as answer:
        assert answer.read() == DATA
    with urlopen(Request(address, headers={"Range": "bytes=5-9"}), timeout=30) as answer:
        assert (answer.status, answer.read()) == (206, DATA[5:10])
    for wrong in (address.replace(key, other), address.partition("?")[0]):
        assert _status(wrong) == 403


def test_address_ends_with_its_time(driver: S3Driver) -> None:
    key = publish(driver, b"content")
    address = driver.presign(key, timedelta(seconds=1))
    end = time.monotonic() + 30
    while _status(address) != 403:
        assert time.monotonic() < end
        time.sleep(0.2)


def _status(address: str) -> int:
    try:
        with urlopen(address, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as refusal:
        with refusal:
            return refusal.code


def test_no_checksums_that_nobody_asked_for(options: S3Options) -> None:
    """Newer defaults of Amazon's library break servers that do not know them."""
    driver, sent = S3Driver(options), []
    driver._bucket._client.meta.events.register("before-send.s3", lambda request, **_: sent.append(request.headers))
    key = publish(driver, DATA)
    publish(driver, b"small")
    assert whole(driver, key) == DATA
    driver.delete(key)
    names = {name.lower() for headers in sent for name in headers}
    assert len(sent) >= 8
    assert not {name for name in names if "checksum" in name or "trailer" in name or name == "content-encoding"}


def test_what_is_wrong_is_told(server: Server) -> None:
    bucket = server.bucket()
    for options, words in (
        (server.options("no-such-bucket"), r"no such bucket.*storage\.s3\.bucket"),
        (server.options(bucket, access_key="nobody"), r"access key.*storage\.s3\.access_key"),
        (server.options(bucket, secret_key="wrong"), r"secret key.*storage\.s3\.secret_key"),
    ):
        with pytest.raises(StorageError, match=words):
            survey(options)
    claim(server.options(bucket))
    survey(server.options(bucket))
    assert S3Driver(server.options(bucket)).health().writable


def test_another_region_is_told(versitygw: VersityGateway) -> None:
    """The library would find it by itself, but the addresses that it signs would be refused."""
    with pytest.raises(ForeignBucket, match=r"another region, eu-test-1, .*storage\.s3\.region"):
        survey(versitygw.options(versitygw.bucket(), region="eu-other-1"))
