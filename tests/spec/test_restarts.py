"""What a restart must not lose: sessions go on, content stays, in a server that knows only the data directory."""

from pathlib import Path

import pytest

from storage.memory import MemoryDriver
from tests.spec.contents import EMPTY, digest_of, image
from tests.spec.registry import running

CONTENT = bytes(range(199)) * 31


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("announced", ["sha256", "sha512"])
@pytest.mark.parametrize("files", [True, False])
def test_an_upload_goes_on_after_every_chunk(
    fast_directory: Path, tmp_path_factory: pytest.TempPathFactory, algorithm: str, announced: str, files: bool
) -> None:
    data = fast_directory / tmp_path_factory.mktemp("restart").name / algorithm / announced / str(files)
    driver = None if files else MemoryDriver(part_size=1000)
    with running(data, driver=driver) as registry:
        location = registry.start("team/app", f"?digest-algorithm={announced}")
    for start in range(0, len(CONTENT), 2000):
        with running(data, driver=driver) as registry:
            assert registry.get(location).expect(204)["range"] == f"0-{max(start - 1, 0)}"
            chunk = CONTENT[start : start + 2000]
            headers = {"content-range": f"{start}-{start + len(chunk) - 1}"}
            registry.request("PATCH", location, chunk, headers).expect(202)
    with running(data, driver=driver) as registry:
        digest = digest_of(CONTENT, algorithm)
        registry.put(f"{location}?digest={digest}").expect(201)
    with running(data, driver=driver) as registry:
        assert registry.get(f"/v2/team/app/blobs/{digest}").expect(200).body == CONTENT


def test_two_servers_on_one_directory_share_everything(fast_directory: Path, name: str) -> None:
    """As workers do: what one took, the other gives at once, and either goes on with a session."""
    data = fast_directory / name.replace("/", "-")
    with running(data) as one, running(data) as two:
        content = one.push(name, "latest", image())
        assert two.get(f"/v2/{name}/manifests/latest").expect(200).body == content
        moved = two.push(name, "latest", image(annotations={"moved": "yes"}))
        assert one.get(f"/v2/{name}/manifests/latest").expect(200).body == moved
        two.delete(f"/v2/{name}/manifests/latest").expect(202)
        one.get(f"/v2/{name}/manifests/latest").expect(404)
        location = one.start(name)
        for number, server in enumerate((two, one, two)):
            chunk = CONTENT[number * 100 : number * 100 + 100]
            server.patch(location, chunk, Content_Range=f"{number * 100}-{number * 100 + 99}").expect(202)
        one.put(f"{location}?digest={digest_of(CONTENT[:300])}").expect(201)
        two.delete(location).expect(404, "BLOB_UPLOAD_UNKNOWN")
        assert two.get(f"/v2/{name}/blobs/{digest_of(CONTENT[:300])}").expect(200).body == CONTENT[:300]


def test_all_that_was_pushed_is_there_again(fast_directory: Path, name: str) -> None:
    data = fast_directory / name.replace("/", "-")
    with running(data) as registry:
        content = registry.push(name, "latest", image(EMPTY, CONTENT), CONTENT)
    with running(data) as registry:
        assert registry.get(f"/v2/{name}/manifests/latest").expect(200).body == content
        assert registry.get(f"/v2/{name}/blobs/{digest_of(CONTENT)}").expect(200).body == CONTENT
        assert registry.get("/v2/_catalog").json() == {"repositories": [name]}
        assert registry.get(f"/v2/{name}/tags/list").json()["tags"] == ["latest"]
