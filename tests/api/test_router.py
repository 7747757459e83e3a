"""What the router does with what handlers raise and policies refuse, and warnings that a push may bring."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.types import Scope

from registry.api.manifests import WARNINGS_LIMIT
from registry.content.listings import Listings
from registry.content.manifests import Manifests, PushedManifest
from registry.edge.access import OpenAccess
from registry.edge.callers import Caller, Means
from storage.digest import Digest
from tests.spec.conftest import Start
from tests.spec.contents import EMPTY, digest_of, image
from tests.spec.registry import Registry, running


class PullOnly(OpenAccess):
    """Access that lets nobody change anything."""

    def known(self, scope: Scope) -> Caller:
        return Caller("somebody", "user", Means.BASIC, access={"a": frozenset({"pull"})})


@pytest.fixture
def pull_only(fast_directory: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A server with that policy and an image in it."""
    data = fast_directory / name.replace("/", "-")
    with ExitStack() as stack:
        stack.enter_context(running(data)).push("a", "latest", image())
        monkeypatch.setattr("registry.app.OpenAccess", PullOnly)
        yield stack.enter_context(running(data))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v2/a/manifests/latest"),
        ("POST", "/v2/a/blobs/uploads/"),
        ("PATCH", "/v2/a/blobs/uploads/x"),
        ("PUT", "/v2/a/blobs/uploads/x"),
        ("GET", "/v2/a/blobs/uploads/x"),
        ("DELETE", "/v2/a/blobs/uploads/x"),
        ("DELETE", "/v2/a/manifests/latest"),
        ("DELETE", f"/v2/a/manifests/{digest_of(b'x')}"),
        ("DELETE", f"/v2/a/blobs/{digest_of(EMPTY)}"),
        ("GET", "/v2/_catalog"),
    ],
)
def test_what_the_policy_refuses_is_403_and_nothing_is_touched(pull_only: Registry, method: str, path: str) -> None:
    pull_only.request(method, path, b"").expect(403, "DENIED")
    pull_only.get("/v2/a/manifests/latest").expect(200)
    pull_only.get(f"/v2/a/blobs/{digest_of(EMPTY)}").expect(200)
    pull_only.get("/v2/").expect(200)


def test_what_nobody_expected_is_500_without_detail(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("secret words")

    registry = start()
    registry.push("a", "latest", image())
    monkeypatch.setattr(Listings, "tags", failing)
    answer = registry.get("/v2/a/tags/list").expect(500, "UNKNOWN")
    assert b"secret" not in answer.body
    assert answer.errors[0]["detail"] == {"requestId": "test-1"}
    assert "secret words" in capsys.readouterr().out  # where structlog writes before it is configured
    registry.get("/v2/a/manifests/latest").expect(200)


def test_warnings_together_have_at_most_4096_bytes(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def pushed(*_: object, **__: object) -> PushedManifest:
        return PushedManifest(Digest.of(b"x"), (), None, tuple("w" * 1000 for _ in range(9)))

    registry = start()
    monkeypatch.setattr(Manifests, "push", pushed)
    warnings = registry.put_manifest("a", "latest", image()).expect(201).all("warning")
    assert len(warnings) == 4
    assert sum(map(len, warnings)) <= WARNINGS_LIMIT


def test_a_name_that_clients_cannot_spell_behind_this_host_is_warned_of(start: Start) -> None:
    registry = start()  # reached as registry.test:5000, which is 18 characters and a slash
    for length, warned in ((255 - 19, False), (255 - 18, True)):
        name = "n" * length
        registry.push_blob(name, EMPTY)
        answer = registry.put_manifest(name, "latest", image()).expect(201)
        assert bool(answer.all("warning")) == warned
