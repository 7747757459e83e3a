"""A character that no name has, and that PostgreSQL cannot even compare with one, is nobody's server error."""

import pytest

from tests.spec.contents import EMPTY, digest_of, image
from tests.spec.registry import Registry

DIGEST = digest_of(EMPTY)
SESSION = "/blobs/uploads/%00"
TARGETS = [
    *(("GET", "/tags/list?last=%00"), ("GET", "/tags/list?n=%00"), ("GET", f"/referrers/{DIGEST}?last=%00")),
    *(("GET", f"/referrers/{DIGEST}?artifactType=%00"), ("GET", "/manifests/%00"), ("GET", "/blobs/%00")),
    *(("GET", SESSION), ("PATCH", SESSION), ("PUT", f"{SESSION}?digest={DIGEST}"), ("DELETE", SESSION)),
    *(("POST", f"/blobs/uploads/?mount={DIGEST}&from=%00"), ("POST", "/blobs/uploads/?digest=%00")),
    ("POST", "/blobs/uploads/?digest-algorithm=%00"),
]


@pytest.mark.parametrize(("method", "target"), TARGETS)
def test_a_nul_in_an_address_is_an_answer(registry: Registry, name: str, method: str, target: str) -> None:
    registry.push(name, "latest", image())
    assert registry.request(method, f"/v2/{name}{target}").status < 500


@pytest.mark.parametrize("target", ["/v2/_catalog?last=%00", "/v1/search?q=%00", "/v1/search?q=a%00b"])
def test_a_nul_in_a_list_s_address_is_an_answer(registry: Registry, name: str, target: str) -> None:
    registry.push(name, "latest", image())
    assert registry.get(target).status < 500


def test_a_nul_in_a_manifest_is_an_answer(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    document = image(annotations={"org.opencontainers.image.description": "a\0b", "other": "\0"})
    assert registry.put_manifest(name, "latest", document).status < 500
    document = image(artifactType="application/x\0y")
    assert registry.put_manifest(name, "latest", document).status < 500
