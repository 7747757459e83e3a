"""Pulls from an S3 store: who is sent there, with what address, and who gets the bytes from the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

from registry.app import Server, prepare
from registry.checks import problems
from registry.parts import s3_options
from registry.settings import Settings
from storage.errors import Unavailable
from storage.layout import Layout
from tests.parts.fake_s3 import ACCESS_KEY, SECRET_KEY, FakeS3, start_fake_s3
from tests.parts.fake_s3_contents import Trouble
from tests.spec.registry import Registry

CONTENT = b"what a layer is made of"
FAR = "192.0.2.7"


@pytest.fixture
def fake() -> Iterator[FakeS3]:
    """Give an empty server."""
    with start_fake_s3() as running:
        yield running


def settings_for(fake: FakeS3, directory: Path, **s3: Any) -> Settings:
    """Say that blobs are in the fake's bucket."""
    bucket = {
        "bucket": "bucket",
        "endpoint": fake.endpoint,
        "path_style": True,
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
    }
    storage = {"driver": "s3", "path": directory, "s3": bucket | s3}
    return Settings.model_validate({"auth": {"mode": "open"}, "storage": storage})


@contextmanager
def serving(fake: FakeS3, directory: Path, address: str | None, **s3: Any) -> Iterator[tuple[Registry, str]]:
    """Serve a client at an address, and push a blob; give its path."""
    settings = settings_for(fake, directory, **s3)
    Layout.open(directory, create=True)
    prepare(settings)
    with Registry(Server(settings), address=address) as registry:
        yield registry, f"/v2/team/app/blobs/{registry.push_blob('team/app', CONTENT)}"


def test_client_is_sent_to_the_store(fake: FakeS3, tmp_path: Path) -> None:
    with serving(fake, tmp_path / "data", FAR) as (registry, path):
        answer = registry.get(path).expect(307)
        assert (answer.body, answer["cache-control"]) == (b"", "no-store")
        assert answer["docker-content-digest"] == path.rpartition("/")[2]
        assert answer.get("content-type") is None
        assert parse_qs(urlsplit(answer["location"]).query)["X-Amz-Expires"] == ["1200"]
        with urlopen(answer["location"], timeout=10) as there:
            assert there.read() == CONTENT
        one = registry.get(path, range="bytes=5-6").expect(307)
        with urlopen(Request(one["location"], headers={"Range": "bytes=5-6"}), timeout=10) as there:
            assert (there.status, there.read()) == (206, CONTENT[5:7])


def test_what_the_server_answers_itself(fake: FakeS3, tmp_path: Path) -> None:
    with serving(fake, tmp_path / "data", FAR) as (registry, path):
        assert registry.head(path).expect(200)["content-length"] == str(len(CONTENT))
        assert registry.get(path, range="bytes=0-1,4-5").expect(206)["content-type"].startswith("multipart/")
        registry.get(path, range="bytes=900-").expect(416)
        registry.get(path, if_none_match=f'"{path.rpartition("/")[2]}"').expect(304)
        empty = registry.push_blob("team/app", b"")
        assert registry.get(f"/v2/team/app/blobs/{empty}").expect(200).body == b""
        registry.get(f"/v2/team/other/blobs/{empty}").expect(404)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.9.8.7", None, "odd"])
def test_who_is_near_gets_the_bytes_from_the_server(fake: FakeS3, tmp_path: Path, address: str | None) -> None:
    with serving(fake, tmp_path / "data", address, direct_networks=["10.0.0.0/8"]) as (registry, path):
        assert registry.get(path).expect(200).body == CONTENT
        assert registry.get(path, range="bytes=5-6").expect(206).body == CONTENT[5:7]


def test_nobody_is_sent_where_that_is_switched_off(fake: FakeS3, tmp_path: Path) -> None:
    with serving(fake, tmp_path / "data", FAR, redirect=False) as (registry, path):
        assert registry.get(path).expect(200).body == CONTENT


def test_public_endpoint_is_where_clients_are_sent(fake: FakeS3, tmp_path: Path) -> None:
    with serving(fake, tmp_path / "data", FAR, public_endpoint="https://s3.example") as (registry, path):
        assert registry.get(path).expect(307)["location"].startswith("https://s3.example/bucket/blobs/")


def test_store_that_refuses_is_told_with_503(fake: FakeS3, tmp_path: Path) -> None:
    with serving(fake, tmp_path / "data", "127.0.0.1") as (registry, path):
        fake.meets("GetObject", Trouble(403, "AccessDenied"))
        assert registry.get(path).expect(503)["retry-after"]
        fake.meets("ListObjectsV2", Trouble(403, "SignatureDoesNotMatch"))
        ready = registry.get("/readyz")
        assert "secret key" in ready.json()["storage s3"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bucket": None}, r"set storage\.s3\.bucket"),
        ({"access_key": None}, "go together"),
        ({"secret_key": None}, "go together"),
        ({"bucket": "other"}, "no such bucket"),
        ({"access_key": "nobody"}, "access key"),
    ],
)
def test_what_is_wrong_is_told_by_config_check_and_at_the_start(
    fake: FakeS3, tmp_path: Path, wrong: dict[str, Any], words: str
) -> None:
    settings = settings_for(fake, tmp_path / "data", **wrong)
    (problem,) = problems(settings)
    assert problem.startswith("storage: ")
    with pytest.raises(Unavailable, match=words) as told:
        prepare(settings)
    assert str(told.value) in problem
    assert fake.objects == {}


def test_parts_hold_the_largest_blob(fake: FakeS3, tmp_path: Path) -> None:
    settings = settings_for(fake, tmp_path / "data", prefix="hub", secret_key=SECRET_KEY)
    options = s3_options(settings)
    assert options.part_size * 10_000 >= settings.limits.blob_bytes
    assert (options.prefix, options.stranger_age) == ("hub/", settings.uploads.expiry)
    assert problems(settings) == []
