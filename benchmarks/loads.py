"""The load makers: wrk for small GETs, and processes that stream or push over one connection each.

A load takes a port and what to ask for, and returns what it counted. It knows no peers and no rows. Each worker
process connects and prepares before the clock starts; a wrong answer in any of them fails the load.
"""

import contextlib
import json
import multiprocessing
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TypeVar

from benchmarks.contents import ACCEPTED
from benchmarks.peers import Unavailable
from benchmarks.wire import WrongAnswer

FORK = multiprocessing.get_context("fork")
LONGEST = 1800.0  # seconds until a load is given up
WRK_SCRIPT = """
wrk.headers["Accept"] = "%s"
%s
local paths, requests, turn = {%s}, {}, 0
if #paths > 1 then
  init = function() for number, path in ipairs(paths) do requests[number] = wrk.format("GET", path) end end
  request = function() turn = turn %% #requests + 1; return requests[turn] end
end
done = function(summary, latency, requests)
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format('{"requests": %%d, "microseconds": %%d, "refused": %%d, "broken": %%d, "p99": %%.0f}\\n',
    summary.requests, summary.duration, summary.errors.status, broken, latency:percentile(99)))
end
"""

T = TypeVar("T")
Task = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Rate:
    """What a load of small requests counted."""

    requests: int
    per_second: float
    p99: float  # seconds


def wrk(
    port: int,
    paths: Sequence[str],
    *,
    seconds: float,
    connections: int,
    script: Path,
    headers: Mapping[str, str] | None = None,
) -> Rate:
    """GET the paths in turn as fast as it goes, from one thread; no answer may be 4xx or 5xx. Raises WrongAnswer."""
    program = shutil.which("wrk")
    if program is None:
        raise Unavailable("no wrk; apt-get install wrk")
    url = f"http://127.0.0.1:{port}{paths[0]}"
    given = " ".join(f'wrk.headers["{name}"] = "{value}"' for name, value in (headers or {}).items())
    script.write_text(WRK_SCRIPT % (", ".join(ACCEPTED), given, ", ".join(f'"{path}"' for path in paths)))
    command = [program, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(script), url]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONGEST).stdout
    counted = json.loads(said.strip().splitlines()[-1])
    if counted["refused"] or counted["broken"] or not counted["requests"]:
        raise WrongAnswer(f"{url}: {counted}")
    return Rate(counted["requests"], counted["requests"] / counted["microseconds"] * 1e6, counted["p99"] / 1e6)


def heads(port: int, path: str, *, seconds: float, connections: int) -> float:
    """HEAD one address over kept connections, a process each; requests a second. (wrk waits for a HEAD's body.)"""
    counts = FORK.RawArray("q", connections)
    question = f"HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()

    def task(number: int) -> Task:
        def run() -> None:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                limit = time.perf_counter() + seconds
                while time.perf_counter() < limit:
                    connection.sendall(question)
                    _expect_ok(connection)
                    counts[number] += 1

        return run

    took = in_parallel([task(number) for number in range(connections)])
    return float(sum(list(counts))) / took


def _expect_ok(connection: socket.socket) -> None:
    answer = connection.recv(4096)
    while not answer.endswith(b"\r\n\r\n"):
        more = connection.recv(4096)
        if not more:
            break
        answer += more
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise WrongAnswer(f"HEAD: {answer[:200]!r}")


def in_parallel(tasks: Sequence[Task]) -> float:
    """Run each task in a process of its own, all released at once; seconds until the last is done.

    Raises: WrongAnswer, with what the first failing task said.
    """
    ready = FORK.Semaphore(0)
    go = FORK.Event()
    problems: multiprocessing.SimpleQueue[str] = FORK.SimpleQueue()

    def child(task: Task, go: Event) -> None:
        ready.release()
        go.wait()
        try:
            task()
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            problems.put(f"{type(error).__name__}: {error}")

    processes = [FORK.Process(target=child, args=(task, go), daemon=True) for task in tasks]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    begun = time.perf_counter()
    go.set()
    for process in processes:
        process.join(LONGEST)
    took = time.perf_counter() - begun
    _check(processes, problems)
    return took


@contextlib.contextmanager
def beside(step: Callable[[int], None]) -> Iterator[Callable[[], int]]:
    """Repeat `step(0)`, `step(1)`, … in a process while the block runs; yields what tells how many were done."""
    stop, done = FORK.Event(), FORK.RawValue("q", 0)

    def run() -> None:
        while not stop.is_set():
            step(done.value)
            done.value += 1

    process = FORK.Process(target=run, daemon=True)
    process.start()
    try:
        yield lambda: int(done.value)
    finally:
        stop.set()
        process.join(LONGEST)
    if process.exitcode != 0:
        raise WrongAnswer(f"the client process beside the load ended with {process.exitcode}")


def _check(
    processes: Sequence["multiprocessing.process.BaseProcess"], problems: "multiprocessing.SimpleQueue[str]"
) -> None:
    if not problems.empty():
        raise WrongAnswer(problems.get())
    for process in processes:
        if process.exitcode != 0:
            process.kill()
            raise WrongAnswer(f"a client process ended with {process.exitcode}")


def shares(items: Sequence[T], parts: int) -> list[list[T]]:
    """Deal items out to that many clients."""
    return [list(items[part::parts]) for part in range(parts)]
