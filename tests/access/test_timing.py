"""Hidden and absent repositories cannot be told apart by time: 2,000 requests in turns against a real server.

The bar is an area under the curve of 0.45 to 0.55. A busy machine may be looked at three times; a server that takes a
millisecond longer for what is hidden is caught every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.access.clock import area, told_apart, written
from tests.access.live import Headers, Live, live
from tests.access.world import PASSWORD, basic
from tests.faults.sabotage import HIDDEN
from tests.spec.contents import digest_of

pytestmark = [pytest.mark.faults, pytest.mark.slow]

HERE, NOWHERE, OWN = f"team/{HIDDEN}", "team/absent", "sam/app"
BLOB = b"a blob of the hidden repository"
LEAST, MOST = 0.45, 0.55
LOOKS = 3

READS = {
    "a manifest": ("GET", "/v2/{}/manifests/latest"),
    "a manifest by digest": ("GET", "/v2/{}/manifests/" + digest_of(BLOB)),
    "a blob": ("HEAD", "/v2/{}/blobs/" + digest_of(BLOB)),
    "tags": ("GET", "/v2/{}/tags/list"),
    "a token": ("GET", "/token?service=moorage&scope=repository:{}:pull"),
    "a token for everything": ("GET", "/token?service=moorage&scope=repository:{}:pull,push,delete"),
    "a mount": ("POST", f"/v2/{OWN}/blobs/uploads/?mount={digest_of(BLOB)}&from={{}}"),
}
CASES = (
    *((who, what) for who in ("a small token", "an anonymous token", "a secret") for what in list(READS)[:4]),
    *((who, what) for who in ("nobody", "a secret", "a password") for what in ("a token", "a token for everything")),
    ("a secret", "a mount"),
    ("a token for one's own", "a mount"),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A server and the headers of everybody who asks."""

    live: Live
    headers: dict[str, Headers]

    def measure(self, who: str, what: str) -> float:
        """Give the area under the curve for hidden against absent."""
        method, target = READS[what]
        headers = {**self.headers[who], **({"content-length": "0"} if method == "POST" else {})}
        requests = [written(method, target.format(name), headers) for name in (HERE, NOWHERE)]
        found, statuses = told_apart(self.live.server.port, *requests, bodiless=method == "HEAD")
        assert len(statuses) == 1
        return found


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with live(tmp_path_factory.mktemp("timing"), workers=1, LIMITS__UPLOADS_PER_SUBJECT="1000000") as running:
        yield _set(running)


def _set(running: Live) -> Scene:
    running.accounts.user("sam")
    running.stock(HERE, BLOB)
    secret = basic("sam", running.accounts.secret("sam"))
    scopes = [f"repository:{name}:pull,push" for name in (HERE, NOWHERE)]
    headers: dict[str, Headers] = {
        "nobody": {},
        "a small token": running.token(secret, *scopes),
        "an anonymous token": running.token({}, *scopes),
        "a secret": secret,
        "a password": basic("sam", PASSWORD),
        "a token for one's own": running.token(secret, f"repository:{OWN}:pull,push"),
    }
    return Scene(running, headers)


def test_the_names_are_of_one_length() -> None:
    assert len(HERE) == len(NOWHERE)


@pytest.mark.parametrize(("who", "what"), CASES)
def test_time_does_not_tell(scene: Scene, who: str, what: str) -> None:
    looks: list[float] = []
    while len(looks) < LOOKS and not (looks and LEAST <= looks[-1] <= MOST):
        looks.append(scene.measure(who, what))
    print(f"{what}, {who}: {looks[-1]:.3f}")
    assert LEAST <= looks[-1] <= MOST, looks


def test_a_server_that_tells_by_time_is_caught(tmp_path: Path) -> None:
    with live(tmp_path / "told", workers=1, sabotage="tell-by-time") as running:
        scene = _set(running)
        for who, what in (("a small token", "a manifest"), ("a secret", "a blob"), ("nobody", "a token")):
            assert scene.measure(who, what) > MOST


def test_the_area_is_a_half_for_the_same_and_one_for_what_never_overlaps() -> None:
    assert area([1, 2, 3], [1, 2, 3]) == 0.5
    assert area([4, 5], [1, 2]) == 1
    assert area([1, 2], [4, 5]) == 0
    assert area([2, 2], [2, 2]) == 0.5
