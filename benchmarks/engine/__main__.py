"""`python -m benchmarks.engine`: every engine takes its turn, round by round; prints ratios with their spread.

It runs in a network namespace of its own (it starts itself again in one) and needs root.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.engine.engines import LiveEngine, docker_engine, moorage_engine, podman_engine
from benchmarks.engine.report import Result, targets_text, text
from benchmarks.engine.rows import ROWS, Stage
from tests.parts.server import start_moorage

INSIDE = "MOORAGE_BENCH_INSIDE"


def main() -> int:
    """Measure; 1 if, with --strict, a target was not met."""
    given = _arguments()
    if os.environ.get(INSIDE) != "1":
        _enter_namespace()
    results = []
    with ExitStack() as stack:
        scratch = Path(tempfile.mkdtemp(prefix="mb-", dir=given.directory))
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        stage = Stage(scratch, stack.enter_context(start_moorage(scratch / "registry")).host, quick=given.quick)
        engines = _engines(stack, scratch)
        for row in ROWS:
            if given.only and not any(row.name.startswith(name) for name in given.only):
                continue
            result = Result(row)
            for number in range(given.rounds or row.rounds):
                first = number % len(engines)
                for engine in (*engines[first:], *engines[:first]):
                    if row.takes(engine):
                        result.add(engine.name, row.measure(stage, engine))
            print(text(result), flush=True)
            results.append(result)
    print(targets_text(results))
    if given.json:
        given.json.write_text(json.dumps({result.row.name: result.samples for result in results}, indent=1) + "\n")
    return int(given.strict and any(result.missed for result in results))


def _engines(stack: ExitStack, scratch: Path) -> tuple[LiveEngine, ...]:
    return (
        *stack.enter_context(moorage_engine()),
        stack.enter_context(docker_engine(scratch / "d")),
        stack.enter_context(podman_engine(scratch / "p")),
    )


def _enter_namespace() -> None:
    """Start again in a network namespace with a loopback that is up."""
    script = 'ip link set lo up && exec "$@"'
    again = (sys.executable, "-m", "benchmarks.engine", *sys.argv[1:])
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", "--", "sh", "-c", script, "sh", *again])  # noqa: S606


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows, by name or the start of one")
    parser.add_argument("--rounds", type=int, help="samples of each engine (default: the row's own)")
    parser.add_argument("--quick", action="store_true", help="an image of 50 MB in place of 500")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="on the disk to measure")
    parser.add_argument("--json", type=Path, help="write every sample there")
    parser.add_argument("--strict", action="store_true", help="end with 1 where a target is not met")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
