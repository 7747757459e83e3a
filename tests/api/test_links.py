"""Pages and their Links: whoever follows them sees everything once and in order, whatever it is called."""

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oci.strategies import names, tags
from tests.spec.contents import EMPTY, OCI_MANIFEST, artifact, digest_of, image, written
from tests.spec.registry import Registry

pytestmark = pytest.mark.parametrize("driver", ["files"], indirect=True, scope="session")


def walked(registry: Registry, target: str, key: str) -> list[object]:
    """Follow the Links to the end."""
    found: list[object] = []
    for _ in range(200):
        answer = registry.get(target).expect(200)
        found += answer.json()[key]
        link = answer.get("link")
        if link is None:
            return found
        before, after = link.split(">; ")
        assert (before[0], after) == ("<", 'rel="next"')
        assert urlsplit(before[1:]).path == urlsplit(target).path
        assert "last" in parse_qs(urlsplit(before[1:]).query)
        target = before[1:]
    raise AssertionError("the Links lead round in a ring")


@given(st.sets(tags, min_size=1, max_size=15), st.integers(1, 16), names)
def test_tags(registry: Registry, wanted: set[str], n: int, name: str) -> None:
    name = f"{uuid.uuid4().hex}/{name}"
    registry.push_blob(name, EMPTY)
    content = written(image())
    query = "?" + "&".join(f"tag={tag}" for tag in wanted)
    registry.put_manifest(name, digest_of(content), content, query=query).expect(201)
    assert walked(registry, f"/v2/{name}/tags/list?n={n}", "tags") == sorted(wanted)
    last = sorted(wanted)[len(wanted) // 2]
    assert walked(registry, f"/v2/{name}/tags/list?n={n}&last={last}", "tags") == [
        t for t in sorted(wanted) if t > last
    ]


@given(st.integers(1, 8), st.integers(1, 9), st.sampled_from(["application/vnd.a+b", "a/b.c-d", "x/y"]), names)
def test_referrers(registry: Registry, count: int, n: int, artifact_type: str, name: str) -> None:
    name = f"{uuid.uuid4().hex}/{name}"
    registry.push_blob(name, EMPTY)
    digests = []
    for number in range(count):
        content = written(artifact(b"base", artifact_type, annotations={"n": str(number)}))
        registry.put_manifest(name, digest_of(content), content, OCI_MANIFEST).expect(201)
        digests.append(digest_of(content))
    escaped = artifact_type.replace("+", "%2B")
    for query in (f"?n={n}", f"?n={n}&artifactType={escaped}"):
        lines = walked(registry, f"/v2/{name}/referrers/{digest_of(b'base')}{query}", "manifests")
        assert [line["digest"] for line in lines if isinstance(line, dict)] == sorted(digests)
