"""D4: upload sessions belong to a repository and a subject; creating, changing and deleting are three rights.

Whoever may push as well may not touch another's session, by any of its operations, and is told what somebody is told
who made its address up. An organisation's owner and the administrator are no exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.access.people import Headers, settle
from tests.access.routes import DOOMED, MANIFEST, TAG, no_session, stock
from tests.access.test_isolation import same
from tests.access.world import INTERNAL, PASSWORD, PRIVATE, PUBLIC, Accounts, Signed, basic, bearer, harbour, token_for
from tests.spec.asgi import Answer
from tests.spec.contents import OCI_INDEX, digest_of, index, written
from tests.spec.registry import Registry

CONTENT = b"what the session's owner sends"
THEIRS = b"what somebody else would like to send"

Operation = Callable[[Registry, str], Answer]


@dataclass(frozen=True, slots=True)
class Quay:
    """A registry with people who all may push to the same repository."""

    registry: Registry
    admin: Registry
    accounts: Accounts
    people: dict[str, Headers]

    def by(self, who: str) -> Registry:
        """Give the registry for somebody."""
        return Signed(self.registry, self.people[who])


@pytest.fixture(scope="module")
def quay(fast_directory: Path) -> Iterator[Quay]:
    with harbour(fast_directory / "sessions") as (registry, accounts):
        admin = settle(registry, accounts)
        member = basic("tim", accounts.secret("tim"))
        scope = f"repository:{PRIVATE}:pull,push"
        people = {
            "owner of the session": basic("pat", accounts.secret("pat")),
            "another pusher": basic("pete", accounts.secret("pete")),
            "a member of a team": bearer(token_for(registry, member, scope)),
            "a robot": basic("team+ci", accounts.secret("team+ci")),
            "the organisation's owner": basic("olga", PASSWORD),
            "the administrator": basic("admin", "mooring-lines-and-bollards"),
        }
        yield Quay(registry, admin, accounts, people)


OPERATIONS: dict[str, Operation] = {
    "ask": lambda who, at: who.get(at),
    "ask by HEAD": lambda who, at: who.head(at),
    "send": lambda who, at: who.patch(at, THEIRS),
    "send in place": lambda who, at: who.patch(at, THEIRS, content_range=f"0-{len(THEIRS) - 1}"),
    "send nothing": lambda who, at: who.patch(at, b""),
    "close with the rest": lambda who, at: who.put(f"{at}?digest={digest_of(THEIRS)}", THEIRS),
    "close": lambda who, at: who.put(f"{at}?digest={digest_of(CONTENT)}"),
    "cancel": lambda who, at: who.delete(at),
}
STRANGERS = ("another pusher", "a member of a team", "a robot", "the organisation's owner", "the administrator")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("who", STRANGERS)
def test_another_ones_session_is_not_there(quay: Quay, who: str, operation: str) -> None:
    mine, other = quay.by("owner of the session"), quay.by(who)
    address = mine.start(PRIVATE)
    made_up = f"/v2/{PRIVATE}/blobs/uploads/{no_session()}"
    answers = [OPERATIONS[operation](other, at) for at in (address, made_up)]
    assert answers[0].status == 404
    same(answers[0], answers[1])
    mine.patch(address, CONTENT).expect(202)
    mine.put(f"{address}?digest={digest_of(CONTENT)}").expect(201)
    assert mine.get(f"/v2/{PRIVATE}/blobs/{digest_of(CONTENT)}").status in (200, 403)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_ones_own_session_is_not_there_in_another_repository(quay: Quay, operation: str) -> None:
    mine = quay.by("owner of the session")
    address = mine.start(PRIVATE)
    for other in (INTERNAL, PUBLIC):
        moved = address.replace(PRIVATE, other)
        answers = [OPERATIONS[operation](mine, at) for at in (moved, f"/v2/{other}/blobs/uploads/{no_session()}")]
        assert answers[0].status == 404
        same(answers[0], answers[1])
    mine.delete(address).expect(204)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("means", ["Basic", "Bearer"])
def test_a_session_is_its_subjects_however_they_sign_in(quay: Quay, means: str, operation: str) -> None:
    """A client that gets a new token in the middle of an upload goes on with it."""
    secret = basic("pat", quay.accounts.secret("pat"))
    shown = secret if means == "Basic" else bearer(token_for(quay.registry, secret, f"repository:{PRIVATE}:pull,push"))
    address = quay.by("owner of the session").start(PRIVATE)
    answer = OPERATIONS[operation](Signed(quay.registry, shown), address)
    assert answer.status in ((400,) if operation == "close" else (201, 202, 204))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_session_is_not_there_for_who_lost_the_right_to_push(quay: Quay, operation: str) -> None:
    mine = quay.by("owner of the session")
    address = mine.start(PRIVATE)
    narrowed = Signed(quay.registry, basic("pat", quay.accounts.secret("pat", "pull")))
    answer = OPERATIONS[operation](narrowed, address)
    assert answer.status == 403
    same(answer, OPERATIONS[operation](narrowed, f"/v2/{PRIVATE}/blobs/uploads/{no_session()}"))


def _document(note: str) -> bytes:
    return written(index(annotations={"note": note}))


def test_who_may_push_moves_any_tag_and_takes_none_away(quay: Quay) -> None:
    pusher = quay.by("owner of the session")
    for tag in (TAG, "doomed"):
        pusher.put_manifest(PRIVATE, tag, _document(tag), OCI_INDEX).expect(201)
        pusher.delete(f"/v2/{PRIVATE}/manifests/{tag}").expect(403, "DENIED")
    pusher.delete(f"/v2/{PRIVATE}/manifests/{digest_of(_document(TAG))}").expect(403, "DENIED")
    pusher.delete(f"/v2/{PRIVATE}/blobs/{digest_of(b'{}')}").expect(403, "DENIED")
    stock(quay.admin, PRIVATE)


def test_tags_beside_a_digest_take_the_right_to_push(quay: Quay) -> None:
    reader = Signed(quay.registry, basic("pia", quay.accounts.secret("pia")))
    content = _document("with tags beside")
    target = f"/v2/{PRIVATE}/manifests/{digest_of(content)}?tag=latest&tag=more"
    reader.request("PUT", target, content, {"content-type": OCI_INDEX}).expect(403, "DENIED")
    assert quay.admin.get(f"/v2/{PRIVATE}/manifests/{TAG}").body == MANIFEST
    writer = quay.by("owner of the session")
    writer.request("PUT", target, content, {"content-type": OCI_INDEX}).expect(201)
    stock(quay.admin, PRIVATE)


def test_who_may_delete_pushes_nothing(quay: Quay) -> None:
    deleter = Signed(quay.registry, basic("dora", quay.accounts.secret("dora")))
    deleter.put_manifest(PRIVATE, TAG, _document("by dora"), OCI_INDEX).expect(403, "DENIED")
    deleter.post(f"/v2/{PRIVATE}/blobs/uploads/").expect(403, "DENIED")
    deleter.get(f"/v2/{PRIVATE}/manifests/{TAG}").expect(403, "DENIED")
    deleter.delete(f"/v2/{PRIVATE}/manifests/doomed").expect(202)
    stock(quay.admin, PRIVATE)


@pytest.mark.parametrize("way", ["manifest", "digest", "session", "whole", "mount", "anonymous mount"])
def test_who_may_push_and_not_create_makes_no_repository(quay: Quay, way: str) -> None:
    pusher, maker = quay.by("owner of the session"), quay.by("another pusher")
    name = f"team/made-by-{way.replace(' ', '-')}"
    uploads = f"/v2/{name}/blobs/uploads/"

    def make(who: Registry) -> Answer:
        if way == "manifest":
            return who.put_manifest(name, "first", DOOMED, OCI_INDEX)
        if way == "digest":
            return who.put_manifest(name, digest_of(DOOMED), DOOMED, OCI_INDEX, "?tag=first")
        queries = {
            "session": "",
            "whole": f"?digest={digest_of(CONTENT)}",
            "mount": f"?mount={digest_of(b'{}')}&from={PUBLIC}",
            "anonymous mount": f"?mount={digest_of(b'{}')}",
        }
        return who.post(uploads + queries[way], CONTENT if way == "whole" else b"")

    make(pusher).expect(403, "DENIED")
    with quay.accounts.catalog.read() as tx:
        assert tx.repositories.place(name) is None
    assert make(maker).status in (201, 202)
    with quay.accounts.catalog.read() as tx:
        assert tx.repositories.place(name) == "private"
    pusher.post(uploads).expect(202)


@pytest.mark.parametrize("name", ["app", "nobodys/app", "admin/app", "pat/app", "team+ci/app", "other/app"])
def test_names_outside_ones_own_namespaces_are_not_for_the_taking(quay: Quay, name: str) -> None:
    """Also a name without a slash, a namespace that nobody has, and one that another user has."""
    maker = quay.by("another pusher")
    answer = maker.put_manifest(name, "first", DOOMED, OCI_INDEX)
    assert (answer.status, answer.errors[0]["code"]) in ((403, "DENIED"), (400, "NAME_INVALID"))
    assert answer.status == (400 if "+" in name else 403)


def test_a_user_makes_repositories_in_a_namespace_of_their_own_name_alone(quay: Quay) -> None:
    maker = quay.by("another pusher")
    maker.put_manifest("pete/app", "first", DOOMED, OCI_INDEX).expect(201)
    maker.put_manifest("pete/a/b/c", "first", DOOMED, OCI_INDEX).expect(201)
    for name in ("pete", "petes/app", "pet/app", "pete.x/app", "pete-x/app", "pete__x/app"):
        maker.put_manifest(name, "first", DOOMED, OCI_INDEX).expect(403, "DENIED")
