"""The job table: what is due is claimed by one, what he says counts while he holds the lease, and it is told of."""

import threading
from collections.abc import Callable

import pytest

from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import Conflict, NotFound
from registry.catalog.jobs import Job
from tests.catalog.conftest import Clock, only_sqlite
from tests.catalog.plans import planned, scans

SECOND = 1_000_000
KINDS = ("sweep", "purge")


def enqueue(catalog: Catalog, kind: str = "sweep", dedup: str | None = None, every: int | None = None) -> bool:
    with catalog.begin() as tx:
        return tx.jobs.enqueue(kind, dedup=dedup, every=every)


def claim(catalog: Catalog, *kinds: str, worker: str = "a") -> Job | None:
    with catalog.begin() as tx:
        return tx.jobs.claim(kinds or KINDS, worker=worker, lease=60 * SECOND)


def claimed(catalog: Catalog) -> Job:
    job = claim(catalog)
    assert job is not None
    return job


def test_a_job_is_claimed_once_and_says_what_it_is_about(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        tx.jobs.enqueue("sweep", payload='{"of": 1}')
        assert tx.jobs.due(KINDS)
    job = claimed(catalog)
    assert (job.kind, job.payload, job.attempts, job.worker) == ("sweep", '{"of": 1}', 1, "a")
    assert (job.begun_at, job.leased_until) == (clock.now, clock.now + 60 * SECOND)
    with catalog.read() as tx:
        assert not tx.jobs.due(KINDS)
    assert claim(catalog) is None


def test_what_is_not_due_or_not_known_is_left(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        tx.jobs.enqueue("sweep", due_at=clock.now + SECOND)
        tx.jobs.enqueue("from-a-later-version")
    assert claim(catalog) is None
    clock.now += SECOND
    assert claimed(catalog).kind == "sweep"


def test_what_has_been_due_for_longest_comes_first(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        tx.jobs.enqueue("sweep", due_at=clock.now - 1)
        tx.jobs.enqueue("purge", due_at=clock.now - 2)
    assert [claimed(catalog).kind, claimed(catalog).kind] == ["purge", "sweep"]


def test_unfinished_jobs_of_one_dedup_key_are_one(catalog: Catalog) -> None:
    assert enqueue(catalog, dedup="team/app")
    assert not enqueue(catalog, dedup="team/app")
    assert enqueue(catalog, "purge", dedup="team/app")
    assert enqueue(catalog)
    assert enqueue(catalog)
    with catalog.begin() as tx:
        tx.jobs.end(claimed_in(tx.jobs.claim(("sweep",), worker="a", lease=SECOND)), "done", "")
    assert enqueue(catalog, dedup="team/app")


def claimed_in(job: Job | None) -> Job:
    assert job is not None
    return job


def test_a_job_is_enqueued_with_what_it_follows_from_or_not_at_all(catalog: Catalog) -> None:
    with pytest.raises(ZeroDivisionError), catalog.begin() as tx:
        tx.jobs.enqueue("sweep")
        raise ZeroDivisionError
    assert claim(catalog) is None


def test_a_lease_that_ran_out_is_taken_over_and_its_former_holder_counts_no_more(
    catalog: Catalog, clock: Clock
) -> None:
    enqueue(catalog)
    former = claimed(catalog)
    clock.now += 59 * SECOND
    assert claim(catalog) is None
    with catalog.begin() as tx:
        tx.jobs.renew(former, 60 * SECOND)
    clock.now += 59 * SECOND
    assert claim(catalog) is None
    clock.now += SECOND
    now = claim(catalog, worker="b")
    assert now is not None
    assert (now.id, now.attempts, now.worker) == (former.id, 2, "b")
    sayings: tuple[Callable[[Transaction], object], ...] = (
        lambda tx: tx.jobs.renew(former, SECOND),
        lambda tx: tx.jobs.note(former, progress="half", checkpoint="1"),
        lambda tx: tx.jobs.give_back(former),
        lambda tx: tx.jobs.retry(former, "trouble", clock.now),
        lambda tx: tx.jobs.end(former, "done", "all"),
    )
    for say in sayings:
        with pytest.raises(Conflict), catalog.begin() as tx:
            say(tx)
    with catalog.begin() as tx:
        tx.jobs.end(now, "done", "all")
        assert [done.worker for done in tx.jobs.history()] == ["b"]


def test_who_comes_next_goes_on_from_the_checkpoint(catalog: Catalog, clock: Clock) -> None:
    enqueue(catalog)
    first = claimed(catalog)
    with catalog.begin() as tx:
        tx.jobs.note(first, progress="5 of 9", checkpoint="5")
        tx.jobs.retry(first, "the store is away", clock.now + 10 * SECOND)
    assert claim(catalog) is None
    clock.now += 10 * SECOND
    second = claimed(catalog)
    assert (second.progress, second.checkpoint, second.trouble) == ("5 of 9", "5", "the store is away")
    assert second.attempts == 2


def test_what_is_given_back_counts_as_not_begun(catalog: Catalog) -> None:
    enqueue(catalog)
    with catalog.begin() as tx:
        tx.jobs.give_back(claimed_in(tx.jobs.claim(KINDS, worker="a", lease=SECOND)))
    assert claimed(catalog).attempts == 1


def test_what_is_done_again_and_again_waits_for_its_next_time(catalog: Catalog, clock: Clock) -> None:
    enqueue(catalog, dedup="sweep", every=100 * SECOND)
    job = claimed(catalog)
    clock.now += 5 * SECOND
    with catalog.begin() as tx:
        tx.jobs.note(job, progress="half", checkpoint="1")
        tx.jobs.end(job, "failed", "the store is away")
        waiting = tx.jobs.get(job.id)
    assert (waiting.due_at, waiting.attempts) == (clock.now + 100 * SECOND, 0)
    assert (waiting.lease, waiting.progress, waiting.checkpoint) == (None, "", None)
    assert not enqueue(catalog, dedup="sweep", every=100 * SECOND)


def test_a_waiting_job_can_be_hastened_but_never_put_off(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        tx.jobs.enqueue("sweep", dedup="sweep", due_at=clock.now + 50, every=100)
        assert tx.jobs.hasten("sweep", "sweep", clock.now + 70, every=70)
        assert [(job.due_at - clock.now, job.every) for job in tx.jobs.unfinished(9)] == [(50, 70)]
        assert tx.jobs.hasten("sweep", "sweep", clock.now)
        assert [(job.due_at - clock.now, job.every) for job in tx.jobs.unfinished(9)] == [(0, 70)]
        assert not tx.jobs.hasten("purge", "purge", clock.now)


def test_history_tells_what_became_of_each(catalog: Catalog, clock: Clock) -> None:
    for kind in ("sweep", "purge", "sweep"):
        enqueue(catalog, kind)
        job = claimed(catalog)
        clock.now += SECOND
        with catalog.begin() as tx:
            tx.jobs.end(job, "done", f"{kind} well")
    with catalog.begin() as tx:
        newest, middle, oldest = tx.jobs.history()
        assert (newest.kind, newest.outcome, newest.result) == ("sweep", "done", "sweep well")
        assert newest.begun_at == newest.ended_at - SECOND
        assert [done.id for done in tx.jobs.history(kind="sweep")] == [newest.id, oldest.id]
        assert [done.id for done in tx.jobs.history(before_id=newest.id, limit=1)] == [middle.id]
        assert tx.jobs.purge(clock.now - SECOND) == 1
        assert [done.id for done in tx.jobs.history()] == [newest.id, middle.id]


def test_a_job_that_is_taken_back_is_gone_for_whoever_is_at_it(catalog: Catalog) -> None:
    enqueue(catalog)
    job = claimed(catalog)
    with catalog.begin() as tx:
        assert tx.jobs.cancel(job.id).id == job.id
        assert [done.outcome for done in tx.jobs.history()] == ["cancelled"]
    with pytest.raises(Conflict), catalog.begin() as tx:
        tx.jobs.renew(job, SECOND)
    with catalog.begin() as tx:
        with pytest.raises(NotFound):
            tx.jobs.cancel(job.id)
        with pytest.raises(NotFound):
            tx.jobs.get(job.id)


def test_of_many_who_claim_at_once_each_gets_another(catalog: Catalog) -> None:
    for _ in range(40):
        enqueue(catalog)
    got: list[int] = []

    def take() -> None:
        while (job := claim(catalog)) is not None:
            got.append(job.id)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # On PostgreSQL one who finds the only free row taken passes over it, so nobody is waited for.
    got += [job.id for job in iter(lambda: claim(catalog), None)]
    assert len(got) == len(set(got)) == 40


@only_sqlite
def test_looking_for_work_reads_an_index(catalog: Catalog) -> None:
    with planned(catalog) as lines, catalog.read() as tx:
        tx.jobs.due(KINDS)
    assert scans(lines) == []
