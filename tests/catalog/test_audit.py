"""The audit trail: it keeps every column, in order, and is read by index, the newest first."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from registry.catalog.audit import LATENESS, AuditEvent, AuditLine
from registry.catalog.catalog import Catalog
from tests.catalog.conftest import REFUSED, Clock, only_sqlite
from tests.catalog.plans import planned, scans

PUSHED = AuditEvent(actor="ada", actor_kind="user", action="push", result="ok", repository="team/app")
FULL = AuditEvent(
    at=17,
    request_id="r1",
    actor="ada",
    actor_kind="user",
    credential="0123456789abcdef",
    address="192.0.2.1",
    agent="docker/29",
    action="tag.move",
    repository="team/app",
    reference="latest",
    old_digest="sha256:a",
    new_digest="sha256:b",
    result="denied",
    reason="the tag is immutable",
)


def test_a_line_keeps_all_that_it_was_told(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        tx.audit.record(FULL)
        tx.audit.record(PUSHED)
    with catalog.read() as tx:
        assert tx.audit.page() == [AuditLine(2, replace(PUSHED, at=clock.now)), AuditLine(1, FULL)]


def test_many_lines_keep_their_order(catalog: Catalog) -> None:
    events = [replace(PUSHED, reference=str(number), at=100 - number) for number in range(5)]
    with catalog.begin() as tx:
        tx.audit.record_many([])
        tx.audit.record_many(events)
        assert [line.event for line in tx.audit.page()] == events[::-1]


@pytest.mark.parametrize("result", ["", "OK", "maybe"])
def test_there_are_three_results(catalog: Catalog, result: str) -> None:
    with pytest.raises(REFUSED), catalog.begin() as tx:
        tx.audit.record(replace(PUSHED, result=result))


def test_pages_and_filters(catalog: Catalog) -> None:
    events = [
        replace(PUSHED, actor=actor, repository=repository, action=action, at=at)
        for at, (actor, repository, action) in enumerate(
            [("ada", "a/b", "push"), ("bob", "a/b", "push"), ("ada", "c/d", "push"), ("ada", "a/b", "delete")], start=1
        )
    ]
    with catalog.begin() as tx:
        tx.audit.record_many(events)
    with catalog.read() as tx, planned(catalog) as plan:
        found = {
            "ada": tx.audit.page(actor="ada"),
            "a/b": tx.audit.page(repository="a/b"),
            "push": tx.audit.page(action="push"),
            "ada's pushes": tx.audit.page(actor="ada", action="push"),
            "all three": tx.audit.page(actor="ada", action="push", repository="a/b"),
            "since": tx.audit.page(since=3),
            "ada's since": tx.audit.page(actor="ada", since=2),
            "next page": tx.audit.page(actor="ada", after_id=4, limit=1),
            "last page": tx.audit.page(after_id=2, limit=9),
            "nothing": tx.audit.page(actor="eve"),
            "nothing yet": tx.audit.page(since=5),
        }
        assert {name: [line.id for line in lines] for name, lines in found.items()} == {
            "ada": [4, 3, 1],
            "a/b": [4, 2, 1],
            "push": [3, 2, 1],
            "ada's pushes": [3, 1],
            "all three": [1],
            "since": [4, 3],
            "ada's since": [4, 3],
            "next page": [3],
            "last page": [1],
            "nothing": [],
            "nothing yet": [],
        }
    assert scans(plan) == []


def test_a_line_that_came_late_is_found_by_its_own_time(catalog: Catalog) -> None:
    later, earlier = 10 * LATENESS, 10 * LATENESS - LATENESS // 2
    with catalog.begin() as tx:
        for at in (1, later, earlier):
            tx.audit.record(replace(PUSHED, at=at))
        assert [line.event.at for line in tx.audit.page(since=earlier)] == [earlier, later]
        assert [line.event.at for line in tx.audit.page(since=later)] == [later]


@only_sqlite
def test_asking_for_what_is_recent_does_not_read_what_is_old(catalog: Catalog) -> None:
    day = 86_400_000_000
    with catalog.begin() as tx:
        tx.audit.record_many([replace(PUSHED, at=number * day // 1000) for number in range(3000)])
        raw = tx.audit._connection.connection.driver_connection
        steps: list[None] = []
        assert raw is not None
        raw.set_progress_handler(lambda: steps.append(None), 100)
        assert tx.audit.page(since=3 * day) == []
        recent = len(steps)
        assert len(tx.audit.page(since=3 * day - day // 100)) == 10
        raw.set_progress_handler(None, 0)
    assert recent < 10, "a thousand steps of SQLite's machine for nothing"


def test_old_lines_go_a_few_at_a_time(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        tx.audit.record_many([replace(PUSHED, at=at) for at in (3, 1, 2, 9)])
        with planned(catalog) as plan:
            assert tx.audit.purge(9, limit=2) == 2
        assert scans(plan) == []
        assert [line.event.at for line in tx.audit.page()] == [9, 3]
        assert tx.audit.purge(9) == 1
        assert tx.audit.purge(9) == 0


def test_a_lines_number_is_never_used_again(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        tx.audit.record_many([PUSHED, PUSHED])
        tx.audit._connection.execute(text("DELETE FROM audit"))
        tx.audit.record(PUSHED)
        assert [line.id for line in tx.audit.page()] == [3]
