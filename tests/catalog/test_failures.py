"""Failed logins: what is counted, how far, and how long to wait."""

from registry.catalog.catalog import Catalog
from registry.catalog.failures import COUNT_LIMIT
from tests.catalog.conftest import Clock
from tests.catalog.plans import planned, scans


def noted(catalog: Catalog, clock: Clock, *failures: tuple[str, str]) -> list[int]:
    """Note failures one after the other, a second apart; give their times."""
    times = []
    for subject, network in failures:
        clock.now += 1_000_000
        with catalog.begin() as tx:
            tx.failures.note(subject, network)
        times.append(clock.now)
    return times


def test_failures_are_counted_by_pair_by_subject_and_by_network(catalog: Catalog, clock: Clock) -> None:
    times = noted(catalog, clock, ("s", "n"), ("s", "m"), ("t", "n"), ("s", "n"))
    with catalog.read() as tx, planned(catalog) as plan:
        assert tx.failures.count_pair("s", "n", 0) == 2
        assert tx.failures.count_subject("s", 0) == 3
        assert tx.failures.count_network("n", 0) == 3
        assert tx.failures.count_pair("s", "n", times[1]) == 1
        assert tx.failures.count_subject("s", times[1]) == 2
        assert tx.failures.count_network("n", times[3]) == 1
        assert tx.failures.count_network("n", times[3] + 1) == 0
        assert tx.failures.count_pair("t", "m", 0) == 0
    assert scans(plan) == []
    assert not [line for line in plan if "SEARCH" in line and "COVERING INDEX" not in line]


def test_when_another_try_is_due(catalog: Catalog, clock: Clock) -> None:
    times = noted(catalog, clock, ("s", "n"), ("s", "m"), ("t", "n"), ("s", "n"))
    with catalog.read() as tx, planned(catalog) as plan:
        assert tx.failures.oldest_of_pair("s", "n", 0) == times[0]
        assert tx.failures.oldest_of_pair("s", "n", 0, among=1) == times[3]
        assert tx.failures.oldest_of_subject("s", 0, among=2) == times[1]
        assert tx.failures.oldest_of_network("n", 0, among=2) == times[2]
        assert tx.failures.oldest_of_network("n", times[1]) == times[2]
        assert tx.failures.oldest_of_network("x", 0) is None
    assert scans(plan) == []


def test_counting_ends_somewhere(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        for _ in range(COUNT_LIMIT + 5):
            tx.failures.note("s", "n")
        assert tx.failures.count_network("n", 0) == COUNT_LIMIT


def test_a_good_login_forgets_its_own_failures_only(catalog: Catalog, clock: Clock) -> None:
    noted(catalog, clock, ("s", "n"), ("s", "m"), ("t", "n"), ("s", "n"))
    with catalog.begin() as tx:
        tx.failures.clear_pair("s", "n")
        assert tx.failures.count_pair("s", "n", 0) == 0
        assert tx.failures.count_subject("s", 0) == 1
        assert tx.failures.count_network("n", 0) == 1


def test_old_failures_are_forgotten(catalog: Catalog, clock: Clock) -> None:
    times = noted(catalog, clock, ("s", "n"), ("s", "n"), ("s", "n"))
    with catalog.begin() as tx, planned(catalog) as plan:
        assert tx.failures.purge(times[2]) == 2
        assert tx.failures.purge(times[2]) == 0
        assert tx.failures.count_subject("s", 0) == 1
    assert scans(plan) == []
