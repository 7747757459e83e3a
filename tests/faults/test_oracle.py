"""The oracle must be able to say no: histories that are and are not linearizable, and cuts of a ledger."""

import itertools
import random
from math import inf

import pytest

from tests.faults.ledger import HERE, Key, Ledger
from tests.faults.linear import Act, Op, explain

TAG = Key("tag", "team/app", "latest")
BLOB = Key("blob", "team/app", "sha256:0")


def op(act: Act, value: str | None, start: float, end: float, *, acked: bool = True) -> Op:
    """Make an operation in one line."""
    return Op(act, value, start, end, acked)


def test_a_read_sees_the_last_write() -> None:
    assert explain([op(Act.WRITE, "a", 0, 1), op(Act.WRITE, "b", 2, 3), op(Act.READ, "b", 4, 5)], None)


def test_a_lost_write_is_found() -> None:
    assert not explain([op(Act.WRITE, "a", 0, 1), op(Act.READ, None, 2, 3)], None)


def test_a_stale_read_is_found() -> None:
    assert not explain([op(Act.WRITE, "a", 0, 1), op(Act.WRITE, "b", 2, 3), op(Act.READ, "a", 4, 5)], None)


def test_a_read_that_goes_back_is_found() -> None:
    history = [op(Act.WRITE, "a", 0, 1), op(Act.WRITE, "b", 2, 9), op(Act.READ, "b", 3, 4), op(Act.READ, "a", 5, 6)]
    assert not explain(history, None)
    assert explain([history[0], history[1], history[3]], None)


@pytest.mark.parametrize("seen", ["a", "b"])
def test_an_unanswered_write_may_have_happened_or_not(seen: str) -> None:
    history = [op(Act.WRITE, "a", 0, 1), op(Act.WRITE, "b", 2, inf, acked=False), op(Act.READ, seen, 4, 5)]
    assert explain(history, None)


def test_an_unanswered_write_does_not_outlive_its_server() -> None:
    history = [op(Act.WRITE, "b", 2, 3, acked=False), op(Act.READ, None, 4, 5), op(Act.READ, "b", 6, 7)]
    assert not explain(history, None)


def test_deleting_a_manifest_drops_only_its_own_tags() -> None:
    history = [op(Act.WRITE, "a", 0, 1), op(Act.DROP, "b", 2, 3), op(Act.READ, "a", 4, 5)]
    assert explain(history, None)
    history[1].value = "a"
    assert not explain(history, None)


def test_removing_needs_something_to_remove() -> None:
    assert not explain([op(Act.REMOVE, None, 0, 1)], None)
    assert explain([op(Act.REMOVE, None, 0, 1), op(Act.READ, None, 2, 3)], "a")


def test_the_search_agrees_with_trying_every_order() -> None:
    chance = random.Random(7)
    verdicts = set()
    for _ in range(400):
        history = []
        for _ in range(5):
            start = chance.uniform(0, 4)
            act = chance.choice([Act.WRITE, Act.READ, Act.DROP])
            history.append(
                op(act, chance.choice("ab"), start, start + chance.uniform(0, 3), acked=chance.random() < 0.8)
            )
        verdict = explain(history, "a")
        verdicts.add(verdict)
        assert verdict == brute_force(history, "a")
    assert verdicts == {True, False}


def brute_force(history: list[Op], initial: str | None) -> bool:
    """Try all orders of all subsets that hold every acknowledged operation."""
    optional = [op for op in history if not op.acked]
    for size in range(len(optional) + 1):
        for extra in itertools.combinations(optional, size):
            chosen = [op for op in history if op.acked] + list(extra)
            if any(_explains(order, initial) for order in itertools.permutations(chosen)):
                return True
    return False


def _explains(order: tuple[Op, ...], initial: str | None) -> bool:
    if any(later.end < earlier.start for earlier, later in itertools.combinations(order, 2)):
        return False
    state = initial
    for one in order:
        possible, state = one.apply(state)
        if not possible:
            return False
    return True


def test_a_cut_forgets_acknowledgements_that_came_after_it() -> None:
    ledger = Ledger()
    for start, end in ((0.0, 1.0), (2.0, 3.0), (4.0, 5.0)):
        (one,) = ledger.begin((BLOB, Act.WRITE, HERE))
        one.start, one.end, one.acked = start, end, True
    kept = ledger.as_of(2.5, 2.6).registers[BLOB].history
    assert [one.acked for one in kept] == [True, False]
    assert ledger.as_of(2.5, 2.6).judge({BLOB: HERE}) == []
    assert ledger.as_of(2.5, 2.6).judge({BLOB: None})[0].startswith("I2")
    assert ledger.as_of(0.5, 0.6).judge({BLOB: None}) == []


def test_a_tag_that_comes_back_is_a_violation() -> None:
    ledger = Ledger()
    ledger.settle(ledger.begin((TAG, Act.WRITE, "sha256:a")), acked=True)
    assert ledger.judge({TAG: "sha256:a"}) == []
    ledger.settle(ledger.begin((TAG, Act.REMOVE, None)), acked=True)
    assert ledger.judge({TAG: "sha256:a"})[0].startswith("I3")
