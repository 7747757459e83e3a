"""`moor stats`. Source: docker/cli cli/command/container/{stats,stats_helpers,formatter_stats}.go.

One thread a container reads the daemon's stream; the table is drawn twice a second from the newest figures.
"""

import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import click

from runtime.cli.answers import Broken
from runtime.cli.client import Client, Refused, Unreachable, segment
from runtime.cli.filters import format_option
from runtime.cli.options import Failure, command, flag
from runtime.cli.session import Session
from runtime.cli.tables import Listing
from runtime.cli.words import binary_size, short_id, size

PAUSE = 0.5
FIRST_WITHIN = 5.0
_CLEAR = "\x1b[H\x1b[2J"

HEADERS = {
    "Container": "CONTAINER",
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
COLUMNS = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")


@command("[OPTIONS] [CONTAINER...]", of="container")
@flag("-a", "--all", help="Show all containers (default shows just running)")
@format_option
@flag("--no-stream", help="Disable streaming stats and only pull the first result")
@flag("--no-trunc", help="Do not truncate output")
def stats(
    session: Session, words: tuple[str, ...], all: bool, form: str | None, no_stream: bool, no_trunc: bool
) -> None:
    """Display a live stream of container(s) resource usage statistics."""
    client = session.client
    names = words or tuple(one["Id"] for one in client.json("/containers/json", {"all": all or None}))
    listing = Listing(COLUMNS, HEADERS)
    if no_stream:
        found = [_once(client, name) for name in names]
        listing.show([stats_row(name, one, whole=no_trunc) for name, one in zip(names, found, strict=True)], form)
        return
    watched = {name: Watched(client, name) for name in names}
    _first(watched)
    while any(one.live for one in watched.values()):
        if sys.stdout.isatty():
            click.echo(_CLEAR, nl=False)
        listing.show([stats_row(name, one.newest, whole=no_trunc) for name, one in watched.items()], form)
        time.sleep(PAUSE)


def _once(client: Client, name: str) -> Mapping[str, Any]:
    found = client.json(f"/containers/{segment(name)}/stats", {"stream": 0})
    return found if isinstance(found, dict) else {}


def _first(watched: Mapping[str, "Watched"]) -> None:
    """Wait until every container has shown itself, or has said that it cannot. Raises: Failure."""
    limit = time.monotonic() + FIRST_WITHIN
    for one in watched.values():
        one.begun.wait(max(0.0, limit - time.monotonic()))
        if one.failure:
            raise Failure(one.failure)


class Watched:
    """The newest figures of one container, read by a thread of its own until the container's stream ends."""

    def __init__(self, client: Client, name: str) -> None:
        self.newest: Mapping[str, Any] = {}
        self.failure = ""
        self.live = True
        self.begun = threading.Event()
        threading.Thread(target=self._read, args=(client, name), daemon=True).start()

    def _read(self, client: Client, name: str) -> None:
        try:
            for document in client.ask("GET", f"/containers/{segment(name)}/stats", {"stream": 1}).documents():
                self.newest = document
                self.begun.set()
        except Refused as error:
            self.failure = f"Error response from daemon: {error}"
        except (Broken, Unreachable):
            self.newest = {}
        finally:
            self.live = False
            self.begun.set()


def stats_row(name: str, found: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    """A row of a container's figures as GET /containers/ID/stats gives them."""
    identifier = str(found.get("id", ""))
    memory = found.get("memory_stats") or {}
    row = {"Container": name, "ID": identifier if whole else short_id(identifier)}
    row["Name"] = str(found.get("name", "")).removeprefix("/") or "--"
    if not memory.get("limit"):  # it does not run
        zero = {"CPUPerc": "0.00%", "MemUsage": "0B / 0B", "MemPerc": "0.00%", "NetIO": "0B / 0B", "BlockIO": "0B / 0B"}
        return row | (zero | {"PIDs": "0"} if found else dict.fromkeys((*zero, "PIDs"), "--"))
    used = _used(memory)
    networks = (found.get("networks") or {}).values()
    received, sent = (sum(net.get(way, 0) for net in networks) for way in ("rx_bytes", "tx_bytes"))
    read, written = _blocks(found.get("blkio_stats") or {})
    return row | {
        "CPUPerc": f"{cpu_percent(found):.2f}%",
        "MemUsage": f"{binary_size(used)} / {binary_size(memory['limit'])}",
        "MemPerc": f"{used / memory['limit'] * 100:.2f}%",
        "NetIO": f"{size(received, 3)} / {size(sent, 3)}",
        "BlockIO": f"{size(read, 3)} / {size(written, 3)}",
        "PIDs": str((found.get("pids_stats") or {}).get("current") or 0),
    }


def cpu_percent(found: Mapping[str, Any]) -> float:
    """The share of one processor that was used between two looks, in percent."""
    now, before = found.get("cpu_stats") or {}, found.get("precpu_stats") or {}
    used = now["cpu_usage"]["total_usage"] - (before.get("cpu_usage") or {}).get("total_usage", 0)
    whole = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    processors = now.get("online_cpus") or len(now["cpu_usage"].get("percpu_usage") or ()) or 1
    return float(used / whole * processors * 100) if used > 0 and whole > 0 else 0.0


def _used(memory: Mapping[str, Any]) -> int:
    """Memory without what the page cache would give back (cgroup v1's and v2's names of it)."""
    details = memory.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    usage = int(memory.get("usage", 0))
    return usage - cache if cache < usage else usage


def _blocks(found: Mapping[str, Any]) -> tuple[int, int]:
    entries = found.get("io_service_bytes_recursive") or ()
    by_first = {letter: sum(e["value"] for e in entries if e["op"][:1].lower() == letter) for letter in "rw"}
    return by_first["r"], by_first["w"]
