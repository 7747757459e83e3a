"""Objects carry what the settings ask for: class, encryption, prefix; and clients who are sent to the store get them.

On a real server, whose answers say what an object is. What none of ours can do (SSE-S3) is seen on the wire.
"""

import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from registry.app import Server, prepare
from registry.settings import Settings
from storage.layout import Layout
from storage.s3.bucket import Bucket
from storage.s3.driver import S3Driver
from storage.s3.options import LEAST_PART, S3Options
from tests.parts.ceph import ACCESS_KEY, DOMAIN, KMS_KEY, SECRET_KEY, STORAGE_CLASS, Ceph
from tests.parts.fake_s3 import start_fake_s3
from tests.spec.registry import Registry
from tests.storage.steps import publish, whole

FAR = "192.0.2.7"
SMALL, LARGE = b"what a layer is made of", bytes(range(256)) * (LEAST_PART // 200)
"""One object as it is, and one that is made of parts."""

KMS = {"sse": "aws:kms", "sse_kms_key": KMS_KEY}
ENCRYPTED = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KMS_KEY}
CLASS, OF_CLASS = {"storage_class": STORAGE_CLASS}, {"StorageClass": STORAGE_CLASS}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wishes", "found"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param(CLASS, OF_CLASS, id="class"),
        pytest.param(KMS, ENCRYPTED, id="SSE-KMS"),
        pytest.param({**CLASS, **KMS, "prefix": "a/b/"}, {**OF_CLASS, **ENCRYPTED}, id="both, under a prefix"),
    ],
)
def test_what_is_pushed_is_what_was_asked_for_and_can_be_pulled(
    wishes: dict[str, str], found: dict[str, str], ceph: Ceph, tmp_path: Path
) -> None:
    name = ceph.bucket()
    with serving(ceph, name, tmp_path / "data", {**wishes, "part_bytes": LEAST_PART}) as registry:
        for content in (SMALL, LARGE):
            path = f"/v2/team/app/blobs/{registry.push_blob('team/app', content)}"
            with urlopen(registry.get(path).expect(307)["location"], timeout=60) as answer:
                assert answer.read() == content
    bucket = Bucket(replace(ceph.options(name), prefix=wishes.get("prefix", "")))
    heads = [bucket.head(item["Key"]) for item in bucket.objects("blobs/")]
    assert sorted(head["ContentLength"] for head in heads) == [len(SMALL), len(LARGE)]
    told = ("StorageClass", "ServerSideEncryption", "SSEKMSKeyId")
    assert [{key: head[key] for key in told if key in head} for head in heads] == [found, found]


def serving(ceph: Ceph, bucket: str, directory: Path, s3: dict[str, Any]) -> Registry:
    """Serve somebody far away from a bucket."""
    known = {"endpoint": ceph.endpoint, "path_style": True, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    storage = {"driver": "s3", "path": directory, "s3": {"bucket": bucket, **known, **s3}}
    settings = Settings.model_validate({"auth": {"mode": "open"}, "storage": storage})
    Layout.open(directory, create=True)
    prepare(settings)
    return Registry(Server(settings), address=FAR)


def test_encryption_by_keys_of_the_store_is_asked_for_in_every_object() -> None:
    """SSE-S3: Ceph has it from its version 17 on, and versitygw has no encryption."""
    with start_fake_s3() as fake:
        for content in (b"small", b"large enough for parts"):
            publish(S3Driver(fake.options(sse="AES256")), content)
        assert [item.headers for item in fake.objects.values()] == [{"x-amz-server-side-encryption": "AES256"}] * 2


@pytest.mark.parametrize(
    ("endpoint", "path_style", "start"),
    [
        ("https://s3.example", True, "https://s3.example/bucket/a/b/blobs/x?"),
        ("https://s3.example", False, "https://bucket.s3.example/a/b/blobs/x?"),
        ("http://192.0.2.7:7480", False, "http://192.0.2.7:7480/bucket/a/b/blobs/x?"),
        (None, False, "https://bucket.s3.amazonaws.com/a/b/blobs/x?"),
    ],
)
def test_bucket_is_in_the_path_or_in_the_name(endpoint: str | None, path_style: bool, start: str) -> None:
    """An IP address has no names below it."""
    options = S3Options(
        "bucket", prefix="a/b/", endpoint=endpoint, access_key="a", secret_key="b", path_style=path_style
    )
    assert S3Driver(options).presign("blobs/x", timedelta(hours=1)).startswith(start)


@pytest.mark.slow
def test_bucket_in_the_name_on_a_real_server(ceph: Ceph, monkeypatch: pytest.MonkeyPatch) -> None:
    name, asked = ceph.bucket(), []
    real = socket.getaddrinfo

    def found(host: str, *arguments: Any, **more: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1", *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", found)  # the name server that tests do not have
    endpoint = ceph.endpoint.replace("127.0.0.1", DOMAIN)
    driver = S3Driver(replace(ceph.options(name, endpoint=endpoint, part_bytes=LEAST_PART), path_style=False))
    for content in (SMALL, LARGE):
        key = publish(driver, content)
        assert whole(driver, key) == content
        with urlopen(driver.presign(key, timedelta(hours=1)), timeout=60) as answer:
            assert answer.read() == content
    assert set(asked) == {f"{name}.{DOMAIN}"}
