"""Whether a bucket can be used: each thing that can be wrong is told with what to do."""

import pytest

from storage.errors import Unavailable
from storage.s3.bucket import Bucket
from storage.s3.diagnosis import ForeignBucket, claim, survey
from storage.s3.driver import S3Driver
from storage.s3.options import S3Options
from tests.parts.fake_s3 import FakeS3
from tests.parts.fake_s3_contents import Trouble
from tests.storage.steps import publish


def put(options: S3Options, key: str, data: bytes) -> None:
    """Write an object, whoever's it is."""
    bucket = Bucket(options)
    bucket.call("put_object", key, body=lambda: data, Key=bucket.full(key))


def test_empty_bucket_can_be_claimed_once_and_again(fake: FakeS3) -> None:
    survey(fake.options())
    assert fake.objects == {}
    for _ in range(2):
        claim(fake.options())
    survey(fake.options())
    publish(S3Driver(fake.options()), b"content")
    claim(fake.options())
    assert fake.objects["format"].data == b"1\n"


def test_foreign_bucket_is_refused_and_a_prefix_of_it_is_not(fake: FakeS3) -> None:
    put(fake.options(), "photos/1.jpg", b"x")
    for look in (survey, claim):
        with pytest.raises(ForeignBucket, match=r"it holds photos/1\.jpg.*storage\.s3\.prefix"):
            look(fake.options())
    claim(fake.options(prefix="registry/"))
    assert set(fake.objects) == {"photos/1.jpg", "registry/format"}


@pytest.mark.parametrize("text", [b"2\n", b"nonsense", b""])
def test_other_format_is_refused(fake: FakeS3, text: bytes) -> None:
    put(fake.options(), "format", text)
    with pytest.raises(ForeignBucket, match="data format"):
        survey(fake.options())


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, "NoSuchBucket", "no such bucket"),
        (403, "InvalidAccessKeyId", "access key"),
        (404, "XAdminUserNotFound", "access key"),
        (403, "SignatureDoesNotMatch", "secret key"),
        (403, "AccessDenied", r"s3:ListBucket .* policy"),
        (400, "AuthorizationHeaderMalformed", "another region"),
        (301, "PermanentRedirect", "another region"),
        (403, "RequestTimeTooSkewed", "clock"),
    ],
)
def test_what_is_wrong_is_told(fake: FakeS3, status: int, code: str, words: str) -> None:
    fake.meets("ListObjectsV2", *[Trouble(status, code)] * 3)
    with pytest.raises(Unavailable, match=words):
        survey(fake.options())


def test_region_that_the_library_finds_by_itself_is_told(fake: FakeS3) -> None:
    told = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>far-1</Region></Error>"
    fake.meets("ListObjectsV2", Trouble(400, "AuthorizationHeaderMalformed", body=told))
    with pytest.raises(ForeignBucket, match=r"another region, .*storage\.s3\.region"):
        survey(fake.options())
    assert fake.asked == ["ListObjectsV2"] * 2


@pytest.mark.parametrize(
    ("operation", "right"),
    [
        ("GetObject", "s3:GetObject"),
        ("CreateMultipartUpload", "s3:PutObject"),
        ("ListParts", "s3:ListMultipartUploadParts"),
        ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
        ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
    ],
)
def test_right_that_is_missing_is_named(fake: FakeS3, operation: str, right: str) -> None:
    fake.meets(operation, Trouble(403, "AccessDenied"))
    with pytest.raises(Unavailable, match=f"{right} is missing from their policy"):
        survey(fake.options())
    assert bool(fake.multiparts) is (operation == "AbortMultipartUpload")


def test_class_that_the_store_does_not_have_is_told(fake: FakeS3) -> None:
    fake.meets("CreateMultipartUpload", Trouble(400, "InvalidStorageClass"))
    with pytest.raises(Unavailable, match=r"storage\.s3\.storage_class"):
        survey(fake.options(storage_class="STANDRAD"))


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(Unavailable, match="pip install"):
        S3Driver(S3Options("bucket"))


@pytest.mark.parametrize("sse", ["AES256", "aws:kms"])
def test_store_that_does_not_encrypt_is_refused(fake: FakeS3, sse: str) -> None:
    claim(fake.options(sse=sse))
    fake.encrypts = False
    for look in (survey, claim):
        with pytest.raises(ForeignBucket, match=f"does not encrypt: .*{sse}.*storage\\.s3\\.sse"):
            look(fake.options(sse=sse))
    assert fake.multiparts == {}
    survey(fake.options())
