"""When a container that ended is started again, and how long that is put off. Pure: policy, end and history in.

Docker's rule (moby, restartmanager): 100 ms, doubled at each try up to a minute; a run of ten seconds begins anew.
"""

from collections.abc import Mapping
from typing import Any

FIRST = 0.1
LONGEST = 60.0
STEADY = 10 * 10**9
"""Nanoseconds of a run after which the next wait is the shortest one again."""


def wanted(policy: Mapping[str, Any], *, exit_code: int, restarts: int, by_hand: bool, at_start: bool = False) -> bool:
    """Whether to start it again. `at_start`: the daemon starts, and the container was found ended."""
    name = policy["Name"]
    if name == "always":
        return at_start or not by_hand
    if by_hand:
        return False
    if name == "unless-stopped":
        return True
    most = policy["MaximumRetryCount"]
    return bool(name == "on-failure" and exit_code != 0 and (most == 0 or restarts < most))


def next_wait(last: float, ran: int) -> float:
    """Seconds until the next start. `last`: the wait before, 0 at first; `ran`: nanoseconds that it ran."""
    if last <= 0 or ran >= STEADY:
        return FIRST
    return min(last * 2, LONGEST)
