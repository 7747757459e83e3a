"""What a server is told: plain values, no settings model, one frozen dataclass for both engines.

The limits are those of a registry that strangers can reach: a request's head is bounded in bytes, fields and seconds,
and an answer that nobody reads is cut.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Both engines are written against ASGI 3; their own aliases for it differ in detail, so this room uses the loosest one.
App = Callable[..., Any]
AppFactory = Callable[[], App]

LINE_REST = len("  HTTP/1.1\r\n\r\n")
"""What a request's head has beside method, target and fields; counted, as `max_header_bytes` is, on both engines."""
FIELD_REST = len(": \r\n")
"""What a header field has beside its name and value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPlan:
    """Where to listen, with how many workers, within which limits. Sizes in bytes, times in seconds."""

    host: str = "127.0.0.1"
    port: int = 5000
    uds: Path | None = None
    uds_mode: int = 0o660
    backlog: int = 2048
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_check_interval: float = 5.0
    workers: int = 1
    drain_timeout: float = 30.0
    max_header_bytes: int = 16 * 1024
    max_headers: int = 100
    header_timeout: float = 10.0
    keep_alive: float = 75.0
    write_stall: float = 60.0
    linger: float = 60.0

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("a TLS certificate and its key go together: give both files or neither")
        if self.workers < 1:
            raise ValueError("at least one worker is needed")

    @property
    def tls(self) -> bool:
        """Say whether connections are encrypted."""
        return self.tls_cert is not None

    @property
    def sweep_interval(self) -> float:
        """Give how often connections are looked at: a tenth of the shortest deadline, at most once a second."""
        shortest = min(self.header_timeout, self.keep_alive, self.write_stall, self.linger)
        return max(0.02, min(1.0, shortest / 10))
