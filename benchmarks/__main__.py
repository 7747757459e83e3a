"""`python -m benchmarks`: choose rows and peers, alternate them round by round, print and write what was found."""

import argparse
import datetime
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import Bench, Skipped
from benchmarks.contents import Body
from benchmarks.peers import Peer, Unavailable, peers
from benchmarks.report import TARGETS, Result, document, table, targets_table
from benchmarks.row import Row
from benchmarks.rows import ROWS
from benchmarks.running import PeerFailed
from benchmarks.seed import MIB
from benchmarks.wire import WrongAnswer


def main() -> int:
    """Run the benchmark; 1 if a peer answered wrongly, or, with --strict, if a target was not met."""
    given = _arguments()
    rows = _chosen(given.only, quick=given.quick)
    present = _present(peers(given.against), given.peer, rows)
    rounds = given.rounds or (2 if given.quick else 3)
    results: list[Result] = []
    with _bench(given) as bench:
        for row in rows:
            result = _measure(bench, row, present, min(rounds, row.rounds))
            print(table(result, [peer.name for peer in present]), flush=True)
            results.append(result)
    print(targets_table(results))
    found = document(results, _machine(present, bench.workers))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    missed = given.strict and any(target.check(results)[0] is False for target in TARGETS)
    return 1 if missed or any(result.failed for result in results) else 0


def _measure(bench: Bench, row: Row, present: Sequence[Peer], rounds: int) -> Result:
    """Take one sample of each peer a round; who goes first changes with the round."""
    result = Result(row)
    taking = [peer for peer in present if row.takes(peer)]
    for number in range(rounds):
        first = number % max(len(taking), 1)
        for peer in (*taking[first:], *taking[:first]):
            if peer.name in result.skipped or peer.name in result.failed:
                continue
            progress(f"{row.name}: round {number + 1} of {rounds}, {peer.name}")
            try:
                result.add(peer.name, row.measure(bench, peer))
            except (Skipped, Unavailable) as reason:
                result.skipped[peer.name] = str(reason)
            except (WrongAnswer, PeerFailed) as error:
                result.failed[peer.name] = str(error)
    progress("")
    return result


def progress(text: str) -> None:
    """Say on a terminal what is going on, in one line that the next one replaces."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _chosen(only: Sequence[str], *, quick: bool) -> list[Row]:
    """The rows that were named, by name or the start of one, or else all that the kind of run has."""
    unknown = [name for name in only if not any(row.name.startswith(name) for row in ROWS)]
    if unknown:
        sys.exit(f"no row is called {', '.join(unknown)}; there are: {', '.join(row.name for row in ROWS)}")
    if only:
        return [row for row in ROWS if any(row.name.startswith(name) for name in only)]
    return [row for row in ROWS if row.quick or not quick]


def _present(known: Sequence[Peer], wanted: Sequence[str], rows: Sequence[Row]) -> list[Peer]:
    """The peers that are here, of those that take part in any row; what is missing is said once."""
    unknown = set(wanted) - {peer.name for peer in known}
    if unknown:
        sys.exit(f"no peer is called {', '.join(unknown)}; there are: {', '.join(peer.name for peer in known)}")
    present = []
    for peer in known:
        if (wanted and peer.name not in wanted) or not any(row.takes(peer) for row in rows):
            continue
        try:
            peer.find()
        except Unavailable as reason:
            print(f"without {peer.name}: {reason}", file=sys.stderr)
        else:
            present.append(peer)
    return present


@contextmanager
def _bench(given: argparse.Namespace) -> Iterator[Bench]:
    """The scratch directory on the measured disk, and the shared body in memory."""
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    scratch = Path(tempfile.mkdtemp(prefix="moorage-bench-", dir=given.directory))
    shared = Path(tempfile.mkdtemp(prefix="moorage-bench-", dir=memory))
    bench = Bench(scratch, Body(shared, (64 if given.quick else 512) * MIB), given.workers, quick=given.quick)
    try:
        yield bench
    finally:
        bench.close()
        shutil.rmtree(shared, ignore_errors=True)


def _machine(present: Sequence[Peer], workers: int) -> dict[str, object]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "workers": workers,
        "peers": [peer.name for peer in present],
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short loads, two rounds, nothing of 512 MiB or 10^6 rows")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows, by name or the start of one")
    parser.add_argument("--peer", nargs="+", default=[], metavar="NAME", help="peers; none: all that are here")
    parser.add_argument("--rounds", type=int, help="samples of each peer (default 3; quick: 2)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="of Moorage and nginx (default: one a core)"
    )
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="on the disk to measure")
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="a second Moorage, with its own .venv, to compare"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a target is not met")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
