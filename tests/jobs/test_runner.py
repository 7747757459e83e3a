"""The runner: each job is done, tried again after trouble, given back at the end, and never done by one who lost it."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable
from registry.catalog.jobs import DoneJob, Job
from registry.jobs import runner as running
from registry.jobs.work import Interrupted, Kind, LeaseLost, Work
from storage.errors import Unavailable
from tests.jobs.conftest import Clock, MakeRunner

SECOND = 1_000_000
HOUR = timedelta(hours=1)


def enqueue(catalog: Catalog, kind: str = "count", payload: str = "{}") -> None:
    with catalog.begin() as tx:
        tx.jobs.enqueue(kind, payload=payload)


def unfinished(catalog: Catalog) -> list[Job]:
    with catalog.read() as tx:
        return tx.jobs.unfinished(100)


def history(catalog: Catalog) -> list[DoneJob]:
    with catalog.read() as tx:
        return tx.jobs.history()


def eventually(done: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_job_is_done_and_told_of(catalog: Catalog, runners: MakeRunner) -> None:
    enqueue(catalog, payload='{"to": 3}')
    runner = runners(Kind("count", lambda work: f"counted to {work.payload['to']}"))
    assert runner.turn()
    assert not runner.turn()
    assert unfinished(catalog) == []
    assert [(done.outcome, done.result, done.worker) for done in history(catalog)] == [("done", "counted to 3", "here")]


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (Unavailable("the store is away"), "the store is away"),
        (CatalogUnavailable("locked"), "locked"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
)
def test_trouble_is_told_and_the_job_tried_again_later_and_later(
    catalog: Catalog, runners: MakeRunner, clock: Clock, trouble: Exception, told: str
) -> None:
    def fail(_: Work) -> str:
        raise trouble

    enqueue(catalog)
    runner = runners(Kind("count", fail, attempts=3))
    waits = []
    with capture_logs() as said:
        for _ in range(2):
            assert runner.turn()
            (job,) = unfinished(catalog)
            assert (job.trouble, job.lease) == (told, None)
            waits.append((job.due_at - clock.now) / SECOND)
            assert not runner.turn()
            clock.now = job.due_at
        assert runner.turn()
    assert 10 <= waits[0] <= 12.5
    assert 20 <= waits[1] <= 25
    assert unfinished(catalog) == []
    assert [(done.outcome, done.result, done.attempts) for done in history(catalog)] == [("failed", told, 3)]
    assert [line["event"] for line in said] == ["a job failed; it will be tried again"] * 2 + ["a job failed"]


def test_the_next_attempt_goes_on_from_the_checkpoint(catalog: Catalog, runners: MakeRunner, clock: Clock) -> None:
    seen: list[object] = []

    def work(job: Work) -> str:
        seen.append(job.checkpoint)
        if job.checkpoint is None:
            job.note("2 of 4", {"next": 2})
            raise Unavailable("away")
        return "all"

    enqueue(catalog)
    runner = runners(Kind("count", work))
    runner.turn()
    assert unfinished(catalog)[0].progress == "2 of 4"
    clock.now += 60 * SECOND
    runner.turn()
    assert seen == [None, {"next": 2}]


def test_a_job_whose_workers_all_go_away_is_given_up(catalog: Catalog, runners: MakeRunner, clock: Clock) -> None:
    enqueue(catalog)
    for _ in range(2):  # claimed by who dies at once
        with catalog.begin() as tx:
            tx.jobs.claim(("count",), worker="dead", lease=SECOND)
        clock.now += SECOND
    done: list[int] = []

    def work(_: Work) -> str:
        done.append(1)
        return ""

    runners(Kind("count", work, attempts=2)).turn()
    assert done == []
    (line,) = history(catalog)
    assert (line.outcome, line.result) == ("failed", "whoever did it went away, 2 times")


def test_what_is_on_a_schedule_is_done_again_and_again(catalog: Catalog, runners: MakeRunner, clock: Clock) -> None:
    times: list[int] = []

    def work(_: Work) -> str:
        times.append(clock.now)
        return ""

    kind = Kind("sweep", work, HOUR)
    one, other = runners(kind), runners(kind)
    for _ in range(3):
        for runner in (one, other, one):
            runner.turn()
        clock.now += 3600 * SECOND
    assert len(times) == 3  # however many runners there are
    assert [job.kind for job in unfinished(catalog)] == ["sweep"]


def test_a_schedule_follows_the_settings(catalog: Catalog, runners: MakeRunner, clock: Clock) -> None:
    runners(Kind("sweep", lambda _: "", HOUR)).turn()
    runners(Kind("sweep", lambda _: "", timedelta(minutes=1))).turn()
    (job,) = unfinished(catalog)
    assert (job.due_at, job.every) == (clock.now + 60 * SECOND, 60 * SECOND)


def test_a_scheduled_job_that_failed_for_good_has_its_next_time(
    catalog: Catalog, runners: MakeRunner, clock: Clock
) -> None:
    def fail(_: Work) -> str:
        raise Unavailable("away")

    runners(Kind("sweep", fail, HOUR, attempts=1)).turn()
    assert [done.outcome for done in history(catalog)] == ["failed"]
    assert [job.due_at for job in unfinished(catalog)] == [clock.now + 3600 * SECOND]


def test_who_lost_the_lease_stops_and_says_nothing(catalog: Catalog, runners: MakeRunner, clock: Clock) -> None:
    def work(job: Work) -> str:
        if job.job.worker == "slow":
            clock.now += 61 * SECOND
            assert quick.turn()
            job.note("half")
        return f"done by {job.job.worker}"

    enqueue(catalog)
    quick = runners(Kind("count", work), name="quick")
    with capture_logs() as said:
        assert runners(Kind("count", work), name="slow").turn()
    assert [done.result for done in history(catalog)] == ["done by quick"]
    assert "a job is in other hands by now" in [line["event"] for line in said]


def test_what_was_done_in_vain_is_not_told_of(catalog: Catalog, runners: MakeRunner) -> None:
    def work(job: Work) -> str:
        with catalog.begin() as tx:
            tx.jobs.cancel(job.job.id)
        return "done all the same"

    enqueue(catalog)
    runners(Kind("count", work)).turn()
    assert [done.outcome for done in history(catalog)] == ["cancelled"]


def test_a_long_job_keeps_its_lease_and_learns_when_it_is_lost(
    catalog: Catalog, runners: MakeRunner, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "BEAT", 0.01)
    learned = threading.Event()
    begun = threading.Event()

    def work(job: Work) -> str:
        begun.set()
        try:
            eventually(lambda: job.go_on())
        except LeaseLost:
            learned.set()
            raise
        return ""

    enqueue(catalog)
    runner = runners(Kind("count", work))
    runner.start()
    assert begun.wait(20)
    (job,) = unfinished(catalog)
    clock.now += 30 * SECOND
    eventually(lambda: unfinished(catalog)[0].leased_until == clock.now + 60 * SECOND)
    with catalog.begin() as tx:
        tx.jobs.cancel(job.id)
    assert learned.wait(20)


def test_at_the_end_a_job_is_given_back_for_whoever_comes_next(catalog: Catalog, runners: MakeRunner) -> None:
    begun = threading.Event()

    def work(job: Work) -> str:
        begun.set()
        job.note("half", 1)
        eventually(job.go_on)
        return ""

    enqueue(catalog)
    runner = runners(Kind("count", work))
    runner.start()
    assert begun.wait(20)
    runner.stop()
    (job,) = unfinished(catalog)
    assert (job.lease, job.attempts, job.checkpoint) == (None, 0, "1")
    runners(Kind("count", lambda job: f"from {job.checkpoint}")).turn()
    assert [done.result for done in history(catalog)] == ["from 1"]


def test_a_runner_outlives_a_database_that_goes_away(
    catalog: Catalog, runners: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    read = catalog.read

    def failing() -> object:
        calls.append(1)
        if len(calls) < 3:
            raise CatalogUnavailable("away")
        return read()

    enqueue(catalog)
    monkeypatch.setattr(catalog, "read", failing)
    runners(Kind("count", lambda _: "done")).start()
    eventually(lambda: len(calls) >= 3)
    monkeypatch.setattr(catalog, "read", read)
    eventually(lambda: history(catalog))


def test_work_can_stop_only_where_it_says(catalog: Catalog) -> None:
    enqueue(catalog)
    with catalog.begin() as tx:
        job = tx.jobs.claim(("count",), worker="here", lease=SECOND)
    assert job is not None
    Work(catalog, job, lambda: False).go_on()
    with pytest.raises(Interrupted):
        Work(catalog, job, lambda: True).note("half")


def test_an_end_before_the_start_is_harmless(runners: MakeRunner) -> None:
    runners(Kind("count", lambda _: "")).stop()


def test_a_lease_that_cannot_be_renewed_now_is_not_lost(
    catalog: Catalog, runners: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(catalog)
    with catalog.begin() as tx:
        job = tx.jobs.claim(("count",), worker="here", lease=SECOND)
    assert job is not None
    work = Work(catalog, job, lambda: False)

    def failing(**_: object) -> object:
        raise CatalogUnavailable("away")

    monkeypatch.setattr(catalog, "begin", failing)
    with capture_logs() as said:
        runners()._keep(work)
    assert [(line["event"], line["reason"]) for line in said] == [("a job's lease could not be renewed", "away")]
    work.go_on()
