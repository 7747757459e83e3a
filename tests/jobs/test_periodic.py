"""Chores: done again and again, through failures, and once more at the end where that is asked for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from structlog.testing import capture_logs

from registry.catalog.errors import CatalogUnavailable
from registry.edge.bridge import Lane
from registry.jobs.periodic import Chore, Periodic


def ran(*chores: Chore, seconds: float = 0.2) -> None:
    async def run() -> None:
        executor = ThreadPoolExecutor(1)
        periodic = Periodic(Lane(executor), chores)
        periodic.start()
        await asyncio.sleep(seconds)
        await periodic.stop()
        executor.shutdown()

    asyncio.run(run())


def test_a_chore_is_done_again_and_again_whatever_becomes_of_it() -> None:
    times: list[int] = []

    def work() -> None:
        times.append(1)
        if len(times) == 1:
            raise CatalogUnavailable("locked")

    with capture_logs() as said:
        ran(Chore("counts", work, 0.01))
    assert len(times) > 3
    assert [(entry["chore"], entry["reason"]) for entry in said] == [("counts", "locked")]


def test_what_must_not_be_lost_is_done_once_more_at_the_end() -> None:
    often: list[int] = []
    rarely: list[int] = []
    ran(Chore("a", lambda: often.append(1), 3600, at_end=True), Chore("b", lambda: rarely.append(1), 3600), seconds=0)
    assert (len(often), len(rarely)) == (1, 0)


def test_nothing_to_do_is_fine() -> None:
    ran(seconds=0)
