"""The bridge: no byte lost, doubled or out of order on its way to a thread, and no thread abandoned on the way."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive

from registry.edge.bridge import BLOCK, Block, ClientGone, Lane, blocks, pour, whole_body

T = TypeVar("T")
bodies = st.lists(st.binary(max_size=30), max_size=12)


@pytest.fixture(scope="module")
def lane() -> Iterator[Lane]:
    with ThreadPoolExecutor(2) as executor:
        yield Lane(executor)


def receiving(pieces: list[bytes], *, gone: bool = False) -> Receive:
    """Give the messages of a body; `gone`: the client goes away behind it."""
    messages: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.disconnect"} if gone else {"type": "http.request"})
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    return receive


async def gathered(receive: Receive, size: int) -> tuple[list[bytes], list[bool]]:
    found, lasts = [], []
    async for block, last in blocks(receive, size):
        found.append(b"".join(block))
        lasts.append(last)
    return found, lasts


@given(bodies, st.integers(1, 50))
def test_blocks_are_the_body_and_large_enough(pieces: list[bytes], size: int) -> None:
    found, lasts = asyncio.run(gathered(receiving(pieces), size))
    assert b"".join(found) == b"".join(pieces)
    assert all(len(block) >= size for block in found[:-1])
    assert lasts == [False] * (len(lasts) - 1) + [True]


@given(bodies, st.integers(0, 100))
def test_a_whole_body_within_its_limit(pieces: list[bytes], limit: int) -> None:
    whole = b"".join(pieces)
    assert asyncio.run(whole_body(receiving(pieces), limit)) == (whole if len(whole) <= limit else None)


@given(st.lists(st.integers(0, 3 * BLOCK // 2), max_size=5), st.booleans())
def test_pour_hands_over_everything_in_order(lane: Lane, sizes: list[int], gone: bool) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    taken: list[bytes] = []

    def take(block: Block) -> None:
        taken.extend(block)

    async def run() -> Block:
        try:
            return await pour(receiving(pieces, gone=gone), lane, take)
        except ClientGone as error:
            assert gone
            return error.rest

    rest = asyncio.run(run())
    assert b"".join([*taken, *rest]) == b"".join(pieces)


@pytest.mark.parametrize("gone", [False, True])
def test_what_the_taker_raises_comes_out_and_nothing_is_taken_after_it(lane: Lane, gone: bool) -> None:
    calls = []

    def take(block: Block) -> None:
        calls.append(sum(map(len, block)))
        raise KeyError("refused")

    pieces = [b"x" * BLOCK] * 4 if not gone else [b"x" * BLOCK]
    with pytest.raises(KeyError, match="refused"):
        asyncio.run(pour(receiving(pieces, gone=gone), lane, take))
    assert calls == [BLOCK]


def cancelled_while_in_a_thread(make: Callable[[Callable[[], None]], Coroutine[Any, Any, T]]) -> float:
    """Cancel a task whose thread is at work; give for how long the thread was still at work after the task's end."""
    started, ended = threading.Event(), []

    def work() -> None:
        started.set()
        time.sleep(0.1)
        ended.append(time.monotonic())

    async def run() -> float:
        task = asyncio.ensure_future(make(work))
        while not started.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic()

    over = asyncio.run(run())
    assert ended, "the thread was abandoned"
    return over - ended[0]


def test_a_cancelled_request_waits_for_its_thread(lane: Lane) -> None:
    assert cancelled_while_in_a_thread(lambda work: lane.call(work)) >= 0


def test_a_cancelled_upload_waits_for_the_block_that_is_being_written(lane: Lane) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * BLOCK, "more_body": True}

    assert cancelled_while_in_a_thread(lambda work: pour(receive, lane, lambda _block: work())) >= 0


def test_a_lane_gives_results_and_raises_errors(lane: Lane) -> None:
    assert asyncio.run(lane.call(int, "7")) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(lane.call(int, "x"))
