"""Checks A2 and A4: one fixed story of pushes and deletions, with the server killed, or its disk failing, at each step.

    python -m tests.faults.every_step --count 1000 --seed 1      # every step, twice: SIGKILL, then EIO
    python -m tests.faults.every_step --count 30 --sabotage acknowledge-early    # must fail, without any step

The story: blobs by all ways, the empty blob, the same blob again, mount, manifests by tag and digest, retag, referrer,
cancelled upload, deletions. Steps are counted by stepwise.py. After the kill, or after the failing story has gone on to
its end and then been killed, the server starts again and the oracle asks for everything (I1-I7, I10).
`--count` is the number of faults; fewer than there are steps are chosen by the seed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.faults.client import Client, image
from tests.faults.kills import recover
from tests.faults.ledger import Ledger
from tests.faults.load import TAGS
from tests.faults.oracle import digest_of
from tests.faults.report import Options, Report, main
from tests.faults.sessions import Session
from tests.faults.stepwise import REPORT
from tests.faults.target import Server
from tests.faults.wire import Lost

HOME, AWAY = "faults/home", "faults/away"


def check(options: Options) -> Report:
    """Count the steps of the story, then fail at each one, or at a sample of them."""
    report = Report("A2", options.seed)
    options = replace(options, workers=1)
    if options.sabotage:
        report.fault(_fault(options, options.sabotage))
        return report
    total = count_steps(options)
    faults = [(mode, number) for mode in ("kill", "fail") for number in range(1, total + 1)]
    if options.count < len(faults):
        faults = options.random().sample(faults, options.count)
    for mode, number in faults:
        name = f"step-{mode}-{number}"
        report.fault([f"{name}: {text}" for text in _fault(options, name)])
    report.extra = {"steps": total}
    return report


def count_steps(options: Options) -> int:
    """Tell the whole story once and return how many steps it took."""
    with tempfile.TemporaryDirectory(prefix="moorage-steps-") as work:
        told = Path(work) / "steps"
        with Server(Path(work) / "data", replace(options, sabotage="step-count-0"), {REPORT: str(told)}) as server:
            server.start()
            story(server, Ledger())
        return int(told.read_text())


def _fault(options: Options, sabotage: str) -> list[str]:
    """Tell the story to a server that fails in it, restart a sound one on its data, and judge."""
    with tempfile.TemporaryDirectory(prefix="moorage-step-") as work:
        ledger = Ledger()
        with Server(Path(work) / "data", replace(options, sabotage=sabotage)) as server:
            server.start()
            story(server, ledger)
            server.kill()
            ledger.server_died()
            server.options = replace(options, sabotage="")
            try:
                _, problems = recover(server, ledger, Random(options.seed), whole=True)
            except RuntimeError as error:
                return [f"I9: {error}"]
        return problems


def story(server: Server, ledger: Ledger) -> None:
    """Do everything once, in a fixed order, as long as there is a server to talk to."""
    random = Random(4)
    big, small, other = random.randbytes(1_300_000), random.randbytes(300), random.randbytes(5_000)
    first = image({digest_of(small): len(small), digest_of(big): len(big)}, "first")
    second = image({digest_of(other): len(other)}, "second")
    note = image({digest_of(b""): 0}, "note", (digest_of(first.body), len(first.body)))
    client = Client(server.wire(timeout=20), ledger, TAGS)
    acts: tuple[Callable[[], object], ...] = (
        lambda: client.push_blob(HOME, big, "patch"),
        lambda: client.push_blob(HOME, small, "put"),
        lambda: client.push_blob(HOME, other, "single"),
        lambda: client.push_blob(HOME, b"", "put"),
        lambda: client.push_manifest(HOME, first, ("latest",)),
        lambda: client.push_manifest(HOME, second, ("v1", "v2"), by_digest=True),
        lambda: client.push_blob(HOME, big, "put"),
        lambda: client.mount_blob(AWAY, HOME, digest_of(other)),
        lambda: client.push_manifest(AWAY, second, ("edge",)),
        lambda: client.push_manifest(HOME, second, ("latest",)),
        lambda: client.push_manifest(HOME, note, (), by_digest=True),
        lambda: _give_up(server, big),
        lambda: client.delete_tag(HOME, "v1"),
        lambda: client.delete_manifest(HOME, digest_of(note.body)),
        lambda: client.delete_manifest(HOME, digest_of(second.body)),
    )
    for act in acts:
        try:
            act()
        except Lost:
            if not server.alive(0.5):
                break
    client.wire.close()
    time.sleep(0.05)


def _give_up(server: Server, content: bytes) -> None:
    session = Session(server, HOME).open()
    session.patch(content, 0)
    session.cancel()


if __name__ == "__main__":
    sys.exit(main(check, count=1000, about=__doc__))
