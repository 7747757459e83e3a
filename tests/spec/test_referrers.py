"""Listing referrers (end-12a, end-12b; "Listing Referrers", "Enabling the Referrers API")."""

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.spec.contents import (
    DOCKER_MANIFEST,
    EMPTY,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    artifact,
    descriptor,
    digest_of,
    image,
    index,
    written,
)
from tests.spec.registry import Registry

# One driver is enough: this is about the catalog and the words alone.
pytestmark = pytest.mark.parametrize("driver", ["files"], indirect=True, scope="session")

SBOM = "application/vnd.example.sbom"
SIGNATURE = "application/vnd.example.signature+json"
BASE = written(image(annotations={"base": "yes"}))


def target(name: str, subject: bytes = BASE, query: str = "", algorithm: str = "sha256") -> str:
    return f"/v2/{name}/referrers/{digest_of(subject, algorithm)}{query}"


def listed(registry: Registry, address: str) -> list[dict[str, Any]]:
    """Give every line, page after page, and see that each page is an index."""
    lines: list[dict[str, Any]] = []
    while True:
        answer = registry.get(address).expect(200)
        assert answer["content-type"] == OCI_INDEX  # exactly: go-containerregistry falls back if a charset follows
        document = answer.json()
        assert {**document, "manifests": []} == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        lines += document["manifests"]
        link = answer.get("link")
        if link is None:
            return lines
        found = re.fullmatch(r'<([^>]*)>; rel="next"', link)
        assert found is not None
        address = found[1]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_end_12a_never_404(registry: Registry, name: str, algorithm: str) -> None:
    assert listed(registry, target(f"{name}/never", algorithm=algorithm)) == []
    registry.push(name, "latest", image())
    assert listed(registry, target(name, algorithm=algorithm)) == []


@pytest.mark.parametrize(
    "digest", ["x", "latest", "sha256:", "sha256:abc", "md5:" + "a" * 32, "sha256:" + "A" * 64, ""]
)
def test_end_12a_bad_digest_is_400(registry: Registry, name: str, digest: str) -> None:
    registry.get(f"/v2/{name}/referrers/{digest}").expect(400, "DIGEST_INVALID")


def test_end_12a_a_line_is_the_artifacts_descriptor(registry: Registry, name: str) -> None:
    annotations = {"org.example.key": "value", "Config": "any case", "whale": "\U0001f433"}
    content = registry.push(name, "sbom", artifact(BASE, SBOM, annotations=annotations))
    expected = descriptor(content, OCI_MANIFEST, artifactType=SBOM, annotations=annotations)
    assert listed(registry, target(name)) == [expected]


def test_end_12a_artifact_type_falls_back_to_the_configs_media_type(registry: Registry, name: str) -> None:
    content = registry.push(name, "old", image(subject=descriptor(BASE, OCI_MANIFEST)))
    (line,) = listed(registry, target(name))
    assert line == descriptor(content, OCI_MANIFEST, artifactType="application/vnd.oci.image.config.v1+json")


def test_end_12a_an_index_without_artifact_type_has_none(registry: Registry, name: str) -> None:
    content = registry.push(name, "index", index(subject=descriptor(BASE, OCI_MANIFEST)))
    assert listed(registry, target(name)) == [descriptor(content, OCI_INDEX)]
    typed = registry.push(name, "typed", index(subject=descriptor(BASE, OCI_MANIFEST), artifactType=SBOM))
    assert descriptor(typed, OCI_INDEX, artifactType=SBOM) in listed(registry, target(name))


def test_end_12a_a_docker_image_with_a_subject_counts(registry: Registry, name: str) -> None:
    document = image(media_type=DOCKER_MANIFEST, subject=descriptor(BASE, OCI_MANIFEST))
    content = registry.push(name, "docker", document)
    assert [line["digest"] for line in listed(registry, target(name))] == [digest_of(content)]


@pytest.mark.parametrize("own", ["sha256", "sha512"])
@pytest.mark.parametrize("subjects", ["sha256", "sha512"])
def test_end_12a_either_algorithm(registry: Registry, name: str, own: str, subjects: str) -> None:
    registry.push_blob(name, EMPTY)
    content = written(artifact(BASE, SBOM) | {"subject": descriptor(BASE, OCI_MANIFEST, subjects)})
    registry.put_manifest(name, digest_of(content, own), content).expect(201)
    lines = listed(registry, target(name, algorithm=subjects))
    assert [line["digest"] for line in lines] == [digest_of(content, own)]
    assert listed(registry, target(name, algorithm="sha512" if subjects == "sha256" else "sha256")) == []


def test_end_12b_filter(registry: Registry, name: str) -> None:
    for artifact_type in (SBOM, SIGNATURE):
        registry.push(name, "attached", artifact(BASE, artifact_type))
    for artifact_type in (SBOM, SIGNATURE, "application/vnd.example.none"):
        query = f"?artifactType={quote(artifact_type, safe='')}"
        answer = registry.get(target(name, query=query)).expect(200)
        assert answer["oci-filters-applied"] == "artifactType"
        types = [line["artifactType"] for line in answer.json()["manifests"]]
        assert types == ([artifact_type] if "none" not in artifact_type else [])


def test_end_12b_filter_finds_what_the_list_shows(registry: Registry, name: str) -> None:
    """The type that a line shows is the type that the filter takes, also where it comes from the config."""
    registry.push(name, "old", image(subject=descriptor(BASE, OCI_MANIFEST)))
    query = "?artifactType=application%2Fvnd.oci.image.config.v1%2Bjson"
    assert len(listed(registry, target(name, query=query))) == 1


def test_end_12a_without_a_filter_none_is_claimed(registry: Registry, name: str) -> None:
    for query in ("", "?artifactType="):
        assert registry.get(target(name, query=query)).expect(200).get("oci-filters-applied") is None


@pytest.mark.parametrize("query", ["artifactType=sbom", "artifactType=a%2Fb%0A", "artifactType=a/b&artifactType=a/c"])
def test_end_12b_bad_filter_is_400(registry: Registry, name: str, query: str) -> None:
    registry.get(target(name, query=f"?{query}")).expect(400, "UNSUPPORTED")


@pytest.mark.parametrize("n", ["", "-1", "x"])
def test_end_12a_bad_n_is_400(registry: Registry, name: str, n: str) -> None:
    registry.get(target(name, query=f"?n={n}")).expect(400, "UNSUPPORTED")


def test_end_12a_bad_last_is_400(registry: Registry, name: str) -> None:
    registry.get(target(name, query="?last=x")).expect(400, "DIGEST_INVALID")


@pytest.mark.parametrize("query", ["", f"&artifactType={quote(SBOM, safe='')}"])
def test_end_12a_pages_have_a_link_and_each_line_once(registry: Registry, name: str, query: str) -> None:
    registry.push_blob(name, EMPTY)
    digests = set()
    for number in range(7):
        content = written(artifact(BASE, SBOM, annotations={"n": str(number)}))
        registry.put_manifest(name, digest_of(content), content).expect(201)
        digests.add(digest_of(content))
    first = registry.get(target(name, query=f"?n=3{query}")).expect(200)
    assert len(first.json()["manifests"]) == 3
    assert first.get("link") is not None
    for n in (1, 3, 7, 1000):
        lines = [line["digest"] for line in listed(registry, target(name, query=f"?n={n}{query}"))]
        assert sorted(lines) == sorted(digests)
    assert registry.get(target(name, query=f"?n=7{query}")).get("link") is None


def test_end_12a_n_0_still_leads_on(registry: Registry, name: str) -> None:
    """A page without lines could name no last one, and a client would walk in a ring."""
    registry.push(name, "sbom", artifact(BASE, SBOM))
    assert len(listed(registry, target(name, query="?n=0"))) == 1


def test_end_12a_an_answer_stays_within_4_mib(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    digests = []
    for number in range(3):
        content = written(artifact(BASE, SBOM, annotations={"n": str(number), "big": "x" * 1_900_000}))
        registry.put_manifest(name, digest_of(content), content).expect(201)
        digests.append(digest_of(content))
    answer = registry.get(target(name)).expect(200)
    assert len(answer.body) <= 4 * 2**20
    assert len(answer.json()["manifests"]) == 2
    assert sorted(line["digest"] for line in listed(registry, target(name))) == sorted(digests)


def test_end_12a_a_line_that_is_larger_than_a_page_is_still_given(
    registry: Registry, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.content.listings.REFERRERS_BYTES", 2000)
    registry.push_blob(name, EMPTY)
    digests = []
    for number in range(3):
        content = written(artifact(BASE, SBOM, annotations={"n": str(number), "big": "x" * 3000}))
        registry.put_manifest(name, digest_of(content), content).expect(201)
        digests.append(digest_of(content))
    assert len(registry.get(target(name)).json()["manifests"]) == 1
    assert [line["digest"] for line in listed(registry, target(name))] == sorted(digests)


def test_end_12a_deleted_artifacts_are_not_listed(registry: Registry, name: str) -> None:
    content = registry.push(name, "sbom", artifact(BASE, SBOM))
    registry.delete(f"/v2/{name}/manifests/sbom").expect(202)
    assert len(listed(registry, target(name))) == 1  # only the tag went
    registry.delete(f"/v2/{name}/manifests/{digest_of(content)}").expect(202)
    assert listed(registry, target(name)) == []


def test_end_12a_referrers_outlive_their_subject(registry: Registry, name: str) -> None:
    registry.push(name, "base", BASE)
    registry.push(name, "sbom", artifact(BASE, SBOM))
    registry.delete(f"/v2/{name}/manifests/{digest_of(BASE)}").expect(202)
    assert len(listed(registry, target(name))) == 1


def test_end_12a_other_repositories_referrers_are_not_listed(registry: Registry, name: str) -> None:
    registry.push(f"{name}/other", "sbom", artifact(BASE, SBOM))
    assert listed(registry, target(name)) == []


def test_end_12a_many_attached_at_once_are_all_listed(registry: Registry, name: str) -> None:
    """Where clients keep a fallback tag they lose each other's updates; a registry must not."""
    registry.push_blob(name, EMPTY)
    contents = [written(artifact(BASE, SBOM, annotations={"n": str(number)})) for number in range(32)]
    headers = {"content-type": OCI_MANIFEST}
    answers = registry.together(
        *(registry.send("PUT", f"/v2/{name}/manifests/{digest_of(c)}", c, headers) for c in contents)
    )
    assert {answer["oci-subject"] for answer in answers} == {digest_of(BASE)}
    assert {line["digest"] for line in listed(registry, target(name))} == {digest_of(c) for c in contents}


def test_upgrade_what_was_listed_under_a_fallback_tag_is_listed(registry: Registry, name: str) -> None:
    """A client that knew no referrers API pushed artifacts, and an index of them under the fallback tag."""
    sbom = registry.push(name, "sbom", artifact(BASE, SBOM))
    signature = registry.push(name, "signature", artifact(BASE, SIGNATURE))
    fallback = index(descriptor(sbom, OCI_MANIFEST, artifactType=SBOM), descriptor(signature, OCI_MANIFEST))
    tag = digest_of(BASE).replace(":", "-")
    registry.push(name, tag, fallback)
    assert {line["digest"] for line in listed(registry, target(name))} == {digest_of(sbom), digest_of(signature)}
    assert registry.get(f"/v2/{name}/manifests/{tag}").expect(200).json() == fallback  # it stays as it is


def test_the_empty_descriptor_as_config(registry: Registry, name: str) -> None:
    document = artifact(BASE, SBOM)
    assert document["config"]["mediaType"] == OCI_EMPTY
    registry.push(name, "sbom", document)
    assert listed(registry, target(name))[0]["artifactType"] == SBOM
