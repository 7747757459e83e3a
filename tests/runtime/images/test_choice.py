"""Platforms: how they are written, and which image of an index is taken."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from registry.oci.manifests import parse_manifest
from registry.oci.mediatypes import OCI_INDEX
from runtime.errors import BadParameter, NotFound
from runtime.images import platforms
from runtime.images.choice import Platform, choose, of_config, parse, runs
from tests.parts.images import MANIFEST, digest_of

HERE = Platform("linux", platforms.architecture())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("linux/amd64", "linux/amd64"),
        ("LINUX/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("s390x", "linux/s390x"),
        ("windows/amd64", "windows/amd64"),
        ("", str(HERE)),
        ("linux", str(HERE)),
    ],
)
def test_how_platforms_are_written(text: str, shown: str) -> None:
    assert str(parse(text)) == shown


@pytest.mark.parametrize("text", ["linux/", "/", "a/b/c/d", "linux/amd 64", "linux/../etc", "x" * 100])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(BadParameter, match="is an invalid platform"):
        parse(text)


def chosen(entries: Sequence[dict[str, str] | None], wanted: str) -> int:
    """Which entry of an index is taken for a platform."""
    manifests = [
        {"mediaType": MANIFEST, "digest": digest_of(bytes([number])), "size": 1}
        | ({"platform": entry} if entry else {})
        for number, entry in enumerate(entries)
    ]
    content = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()
    found = choose(parse_manifest(content, OCI_INDEX), parse(wanted))
    return [digest_of(bytes([number])) for number in range(len(entries))].index(str(found.digest))


def platform(text: str) -> dict[str, str]:
    """An entry's platform."""
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))


@pytest.mark.parametrize(
    ("entries", "wanted", "number"),
    [
        (["linux/amd64", "linux/arm64/v8"], "linux/arm64", 1),
        (["linux/arm64", "linux/arm64/v8"], "linux/arm64/v8", 0),
        (["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v7", 1),
        (["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v6", 2),
        (["linux/arm/v5", "linux/arm/v7"], "linux/arm/v6", 0),
        (["linux/arm64/v9", "linux/arm64/v8"], "linux/arm64", 1),
        (["unknown/unknown", "linux/amd64", "linux/amd64"], "linux/amd64", 1),
        (["linux/amd64/v3", "linux/amd64"], "linux/amd64", 1),
        (["linux/amd64/v2", "linux/amd64/v3", "linux/amd64"], "linux/amd64/v3", 1),
    ],
)
def test_which_image_is_taken(entries: list[str], wanted: str, number: int) -> None:
    assert chosen([platform(entry) for entry in entries], wanted) == number


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ([], "linux/amd64"),
        ([None], "linux/amd64"),
        (["linux/arm/v7"], "linux/arm/v6"),
        (["windows/amd64"], "linux/amd64"),
        (["linux/amd64/v3"], "linux/amd64"),
    ],
)
def test_when_there_is_none(entries: list[str | None], wanted: str) -> None:
    with pytest.raises(NotFound, match=f"^no matching manifest for {wanted} in the manifest list entries$"):
        chosen([platform(entry) if entry else None for entry in entries], wanted)


def test_a_configuration_without_a_platform_is_this_machines() -> None:
    assert of_config({}) == HERE
    assert str(of_config({"os": "linux", "architecture": "arm", "variant": "v6"})) == "linux/arm/v6"
    assert runs(HERE, HERE)
