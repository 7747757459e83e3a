"""Healthchecks: a command run in a container again and again, and what its results say of it.

Docker's rules (moby, daemon/health.go): one thread a container that has a check, the last five results kept, in memory
only: after a start of the daemon a container is `starting` until its next check.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.containers.model import Container
from runtime.containers.streams.exec_process import Command
from runtime.errors import EngineError
from runtime.moments import rfc3339

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
KEPT, OUTPUT = 5, 4096
_SECOND = 10**9
_INTERVAL, _TIMEOUT, _START_INTERVAL, _RETRIES = 30 * _SECOND, 30 * _SECOND, 5 * _SECOND, 3

Probe = Callable[[Container, Command, float, int], tuple[int, bytes]]
"""Runs a command in a container within some seconds: exit code and the first bytes of its output; TimeoutError."""


@dataclass(slots=True)
class Health:
    """What is known of one container."""

    status: str = STARTING
    failing: int = 0
    results: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def document(self) -> dict[str, Any]:
        """State.Health of `docker inspect`."""
        return {"Status": self.status, "FailingStreak": self.failing, "Log": list(self.results)}

    def note(self, result: dict[str, Any], *, retries: int, in_start_period: bool) -> str:
        """Take one result in; returns the new status, or "" where it stays the same."""
        self.results.append(result)
        before = self.status
        if result["ExitCode"] == 0:
            self.failing, self.status = 0, HEALTHY
        elif not (in_start_period and self.status == STARTING):
            self.failing += 1
            if self.failing >= retries:
                self.status = UNHEALTHY
        return self.status if self.status != before else ""


class Checks:
    """The checks of all running containers. `tell`: publishes an event of a container."""

    def __init__(self, probe: Probe, tell: Callable[[Container, str], None]) -> None:
        self._probe = probe
        self._tell = tell
        self._lock = threading.Lock()
        self._stops: dict[str, threading.Event] = {}
        self._health: dict[str, Health] = {}

    def begin(self, container: Container) -> None:
        """Check a container that runs, where it has a check."""
        argv = command(container.config)
        if argv is None:
            return
        stop, health = threading.Event(), Health()
        with self._lock:
            self._stops[container.id], self._health[container.id] = stop, health
        arguments = (container, Command(tuple(argv)), stop, health)
        threading.Thread(target=self._run, args=arguments, name=f"health-{container.id[:12]}", daemon=True).start()

    def end(self, container: Container) -> None:
        """The container has ended; what was found of it is kept."""
        with self._lock:
            stop = self._stops.pop(container.id, None)
        if stop is not None:
            stop.set()

    def forget(self, container: Container) -> None:
        """The container is removed."""
        self.end(container)
        with self._lock:
            self._health.pop(container.id, None)

    def of(self, container: Container) -> Health | None:
        """What is known of a container; None where it has no check, or never ran."""
        with self._lock:
            return self._health.get(container.id)

    def close(self) -> None:
        """Stop all."""
        with self._lock:
            stops, self._stops = list(self._stops.values()), {}
        for stop in stops:
            stop.set()

    def _run(self, container: Container, wanted: Command, stop: threading.Event, health: Health) -> None:
        check = container.config["Healthcheck"]
        begun = time.monotonic_ns()
        while not stop.wait(_pause(check, health, begun)):
            if container.state.status == "paused":
                continue
            result = self._once(container, wanted, _given(check, "Timeout", _TIMEOUT) / _SECOND)
            if stop.is_set():
                return
            in_start = time.monotonic_ns() - begun < _given(check, "StartPeriod", 0)
            changed = health.note(result, retries=check.get("Retries") or _RETRIES, in_start_period=in_start)
            if changed:
                self._tell(container, f"health_status: {changed}")

    def _once(self, container: Container, wanted: Command, timeout: float) -> dict[str, Any]:
        start = time.time_ns()
        try:
            code, output = self._probe(container, wanted, timeout, OUTPUT)
            said = output.decode("utf-8", "replace")
        except TimeoutError:
            code, said = -1, f"Health check exceeded timeout ({timeout:g}s)"
        except EngineError as error:
            code, said = -1, str(error)
        return {"Start": rfc3339(start), "End": rfc3339(time.time_ns()), "ExitCode": code, "Output": said}


def command(config: Mapping[str, Any]) -> list[str] | None:
    """The check's words; None where there is none, or NONE."""
    test = (config["Healthcheck"] or {}).get("Test") or []
    if len(test) < 2 or test[0] == "NONE":
        return None
    if test[0] == "CMD-SHELL":
        return [*(config["Shell"] or ("/bin/sh", "-c")), test[1]]
    return list(test[1:])


def _pause(check: Mapping[str, Any], health: Health, begun: int) -> float:
    """Seconds until the next check: shorter ones while the container starts."""
    interval = _given(check, "Interval", _INTERVAL)
    period = _given(check, "StartPeriod", 0)
    if health.status == STARTING and time.monotonic_ns() - begun < period:
        return min(interval, _given(check, "StartInterval", _START_INTERVAL)) / _SECOND
    return interval / _SECOND


def _given(check: Mapping[str, Any], name: str, default: int) -> int:
    return int(check.get(name) or default)
