"""What one may not pull is not there: byte for byte the same answer for hidden and for absent, whoever asks and how.

Names of one length stand for each other, so that nothing but the name may differ. What time tells is in test_timing.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.access.people import Headers, settle
from tests.access.routes import LAYER, MANIFEST, ROWS, Row, no_session, stock
from tests.access.world import (
    OPERATOR,
    PASSWORD,
    PRIVATE,
    PUBLIC,
    SOURCE,
    Accounts,
    Signed,
    basic,
    bearer,
    harbour,
    token_for,
)
from tests.spec.asgi import Answer
from tests.spec.contents import EMPTY, OCI_INDEX, OCI_MANIFEST, artifact, descriptor, digest_of, image, index, written
from tests.spec.registry import Registry

NOWHERE = "team/nowhere"  # as long as PRIVATE
SECRET = b"a blob that only the private repository holds"
UNKNOWN = b"a blob that is nowhere at all, of this length"
HOME = "sam/app"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

ON_A_REPOSITORY = [row for row in ROWS if row.needs]
CALLERS = (
    "nobody",
    "an anonymous token",
    "a stranger's token",
    "a stranger's password",
    "a stranger's secret",
    "a robot's token",
    "a robot's secret",
    "an owner's secret that is for elsewhere",
    "a token for another repository",
    "a token that pulls from everywhere else",
)


@dataclass(frozen=True, slots=True)
class Place:
    """The registry, its administrator, and the headers of everybody in CALLERS."""

    registry: Registry
    admin: Registry
    accounts: Accounts
    callers: dict[str, Headers]


@pytest.fixture(scope="module")
def place(fast_directory: Path) -> Iterator[Place]:
    with harbour(fast_directory / "isolation") as (registry, accounts):
        admin = settle(registry, accounts)
        stranger, robot = basic("sam", accounts.secret("sam")), basic("team+idle", accounts.secret("team+idle"))
        asked = [f"repository:{name}:pull,push,delete" for name in (PRIVATE, NOWHERE, HOME)]
        admin.push_blob(PRIVATE, SECRET)
        callers = {
            "nobody": {},
            "an anonymous token": bearer(token_for(registry, {}, *asked)),
            "a stranger's token": bearer(token_for(registry, stranger, *asked)),
            "a stranger's password": basic("sam", PASSWORD),
            "a stranger's secret": stranger,
            "a robot's token": bearer(token_for(registry, robot, *asked)),
            "a robot's secret": robot,
            "an owner's secret that is for elsewhere": basic("olga", accounts.secret("olga", "", PUBLIC)),
            "a token for another repository": bearer(token_for(registry, stranger, f"repository:{HOME}:pull,push")),
            "a token that pulls from everywhere else": bearer(
                token_for(registry, stranger, f"repository:{PUBLIC}:pull")
            ),
        }
        assert set(callers) == set(CALLERS)
        stock(Signed(registry, stranger), HOME)
        yield Place(registry, admin, accounts, callers)


def same(hidden: Answer, absent: Answer, *names: tuple[str, str]) -> None:
    """See that two answers differ in nothing but the names that were asked for, and random ids."""

    def plain(answer: Answer) -> tuple[int, str, str]:
        headers, body = repr(answer.headers), answer.body.decode("utf-8")
        for given, common in names:
            assert len(given) == len(common)
            headers, body = headers.replace(given, common), body.replace(given, common)
        return answer.status, UUID.sub("UUID", headers), UUID.sub("UUID", body)

    assert plain(hidden) == plain(absent)


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("row", ON_A_REPOSITORY, ids=lambda row: f"{row.id}-{row.method}")
def test_hidden_and_absent_repositories_answer_the_same(place: Place, who: str, row: Row) -> None:
    session = place.admin.start(PRIVATE).rpartition("/")[2]
    answers = []
    for name, given in ((PRIVATE, session), (NOWHERE, no_session())):
        request = row.make(name, given)
        headers = {**request.headers, **place.callers[who]}
        answers.append(place.registry.request(row.method, request.target, request.body, headers))
    assert answers[0].status in (401, 403)
    same(answers[0], answers[1], (NOWHERE, PRIVATE))


@pytest.mark.parametrize("actions", ["pull", "push", "pull,push", "delete", "*", "pull,push,delete,create,admin"])
@pytest.mark.parametrize("means", ["nobody", "a stranger's password", "a stranger's secret", "a robot's secret"])
def test_tokens_for_hidden_and_absent_repositories_are_the_same(place: Place, means: str, actions: str) -> None:
    answers = []
    for name in (PRIVATE, NOWHERE):
        target = f"/token?service=moorage&scope=repository:{name}:{actions}"
        answer = place.registry.request("GET", target, headers=place.callers[means]).expect(200)
        answers.append((_without_times(answer), _headers(answer), _claims(answer.json()["token"])))
    assert answers[0] == answers[1]
    assert answers[0][2]["access"] == []


def _without_times(answer: Answer) -> dict[str, object]:
    document: dict[str, object] = answer.json()
    assert document.pop("token") == document["access_token"]
    document["access_token"] = len(str(document["access_token"]))
    document.pop("issued_at")
    return document


def _headers(answer: Answer) -> list[tuple[str, str]]:
    return [pair for pair in answer.headers if pair[0] != "date"]


def _claims(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return {name: value for name, value in claims.items() if name not in ("jti", "iat", "nbf", "exp")}


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_blob_is_seen_only_through_a_repository_that_holds_it(place: Place, method: str) -> None:
    """Through one's own repository, another's blob is as unknown as one that is nowhere."""
    me = Signed(place.registry, place.callers["a stranger's secret"])
    hidden, unknown = digest_of(SECRET), digest_of(UNKNOWN)
    answers = [me.request(method, f"/v2/{HOME}/blobs/{digest}").expect(404) for digest in (hidden, unknown)]
    same(answers[0], answers[1], (unknown, hidden))
    place.admin.head(f"/v2/{PRIVATE}/blobs/{hidden}").expect(200)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_manifest_is_seen_only_through_a_repository_that_holds_it(place: Place, method: str) -> None:
    me = Signed(place.registry, place.callers["a stranger's secret"])
    content = written(image(EMPTY, annotations={"only": "in the private repository"}))
    place.admin.put_manifest(PRIVATE, "own", content).expect(201)
    hidden, unknown = digest_of(content), digest_of(UNKNOWN)
    answers = [me.request(method, f"/v2/{HOME}/manifests/{digest}").expect(404) for digest in (hidden, unknown)]
    same(answers[0], answers[1], (unknown, hidden))


def test_a_manifest_cannot_name_what_another_repository_holds(place: Place) -> None:
    me = Signed(place.registry, place.callers["a stranger's secret"])
    answers = []
    for content in (SECRET, UNKNOWN):
        assert len(SECRET) == len(UNKNOWN)
        for document in (image(EMPTY, content), image(content)):
            answers.append(me.put_manifest(HOME, "thief", document).expect(404, "MANIFEST_BLOB_UNKNOWN"))
    names = (digest_of(UNKNOWN), digest_of(SECRET))
    same(answers[0], answers[2], names)
    same(answers[1], answers[3], names)


def test_an_index_cannot_name_what_another_repository_holds(place: Place) -> None:
    me = Signed(place.registry, place.callers["a stranger's secret"])
    held, absent = (written(image(EMPTY, annotations={"an image": word})) for word in ("held", "none"))
    place.admin.put_manifest(PRIVATE, "held", held).expect(201)
    answers = [
        me.put_manifest(HOME, "thief", index(descriptor(content, OCI_MANIFEST)), OCI_INDEX).expect(404)
        for content in (held, absent)
    ]
    same(answers[0], answers[1], (digest_of(absent), digest_of(held)))


def test_referrers_in_a_hidden_repository_are_not_listed_elsewhere(place: Place) -> None:
    me = Signed(place.registry, place.callers["a stranger's secret"])
    place.admin.push(PRIVATE, "signature", artifact(MANIFEST, "application/vnd.example.signature"))
    listed = me.get(f"/v2/{HOME}/referrers/{digest_of(MANIFEST)}").expect(200).json()
    assert listed["manifests"] == []


MOUNTERS = ("a stranger's secret", "a stranger's token")


@pytest.mark.parametrize("who", MOUNTERS)
@pytest.mark.parametrize("source", [PRIVATE, NOWHERE, SOURCE, None])
def test_a_mount_from_where_one_may_not_pull_is_as_if_the_blob_were_not_there(
    place: Place, who: str, source: str | None
) -> None:
    """It opens an upload, as for a blob that is nowhere; the blob stays unseen."""
    me = Signed(place.registry, place.callers[who])
    tail = f"&from={source}" if source else ""
    answers = [
        me.post(f"/v2/{HOME}/blobs/uploads/?mount={digest_of(content)}{tail}").expect(202)
        for content in (SECRET, UNKNOWN)
    ]
    same(answers[0], answers[1])
    me.head(f"/v2/{HOME}/blobs/{digest_of(SECRET)}").expect(404)


@pytest.mark.parametrize("who", MOUNTERS)
def test_an_anonymous_mount_takes_what_some_repository_that_one_may_pull_holds(place: Place, who: str) -> None:
    content = b"a blob of the public repository, for " + who.encode()
    place.admin.push_blob(PUBLIC, content)
    me = Signed(place.registry, place.callers[who])
    me.post(f"/v2/{HOME}/blobs/uploads/?mount={digest_of(content)}").expect(201)
    assert me.get(f"/v2/{HOME}/blobs/{digest_of(content)}").expect(200).body == content


def test_a_mount_needs_the_source_in_the_token_too(place: Place) -> None:
    """The token is too small, and a larger one may be had: the challenge names both repositories."""
    me = Signed(place.registry, place.callers["a token for another repository"])
    answer = me.post(f"/v2/{HOME}/blobs/uploads/?mount={digest_of(LAYER)}&from={PUBLIC}").expect(401, "DENIED")
    challenge = answer["www-authenticate"]
    assert f'scope="repository:{HOME}:pull,push repository:{PUBLIC}:pull"' in challenge
    assert 'error="insufficient_scope"' in challenge


def test_a_mount_out_of_a_narrowed_secrets_reach_is_an_upload(place: Place) -> None:
    """The owner may pull from the private repository, but not with this secret."""
    secret = place.accounts.secret("sam", "", HOME)
    place.accounts.grant("sam", ("pull", SOURCE))
    me, narrowed = Signed(place.registry, basic("sam", PASSWORD)), Signed(place.registry, basic("sam", secret))
    content = b"a blob of the source alone"
    place.admin.push_blob(SOURCE, content)
    for query in (f"?mount={digest_of(content)}&from={SOURCE}", f"?mount={digest_of(content)}"):
        narrowed.post(f"/v2/{HOME}/blobs/uploads/{query}").expect(202)
    me.post(f"/v2/{HOME}/blobs/uploads/?mount={digest_of(content)}&from={SOURCE}").expect(201)
    place.accounts.grants.remove("sam", SOURCE, OPERATOR)


def test_a_head_by_somebody_who_may_not_push_leases_nothing(place: Place, fast_directory: Path) -> None:
    """Else every reader could keep the collector from what nobody needs."""
    digest = place.admin.push_blob(PUBLIC, b"a blob that nobody names and somebody looks at")
    _age_leases(fast_directory / "isolation")
    anonymous = bearer(token_for(place.registry, {}, f"repository:{PUBLIC}:pull"))
    pusher = bearer(token_for(place.registry, basic("olga", PASSWORD), f"repository:{PUBLIC}:pull"))
    for headers in (anonymous, pusher, place.callers["a stranger's secret"], place.callers["a robot's secret"]):
        place.registry.request("HEAD", f"/v2/{PUBLIC}/blobs/{digest}", headers=headers).expect(200)
        assert _newest_lease(fast_directory / "isolation") == 1
    place.admin.head(f"/v2/{PUBLIC}/blobs/{digest}").expect(200)
    assert _newest_lease(fast_directory / "isolation") > 1


def _age_leases(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "moorage.db")) as database, database:
        database.execute("UPDATE lease SET renewed_at = 1")


def _newest_lease(directory: Path) -> int:
    with closing(sqlite3.connect(directory / "moorage.db")) as database:
        return int(database.execute("SELECT max(renewed_at) FROM lease").fetchone()[0])
