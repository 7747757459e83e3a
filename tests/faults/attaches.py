"""Check C8: 64 referrers attached to one subject in parallel, half of them deleted meanwhile, the subject pushed last.

    python -m tests.faults.attaches --count 20 --seed 1
    python -m tests.faults.attaches --count 3 --sabotage lose-referrers      # must fail: one in fifty is not stored

After each round the referrers list is exactly the set that was acknowledged and not deleted, each named once, through
every worker; OCI-Subject is on each answer.
"""

from __future__ import annotations

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from tests.faults.client import image
from tests.faults.ledger import Content
from tests.faults.oracle import digest_of
from tests.faults.report import Options, Report, main
from tests.faults.sessions import Session, told
from tests.faults.target import Server
from tests.faults.wire import Lost

ATTACHES = 64
READS = 4
THREADS = 32


def check(options: Options) -> Report:
    """Run `count` rounds, each with a subject of its own."""
    report = Report("C8", options.seed)
    random = options.random()
    with tempfile.TemporaryDirectory(prefix="moorage-attach-") as work, Server(Path(work) / "data", options) as server:
        server.start()
        blob = b"{}"
        session = Session(server, "faults/attach").open()
        session.put(digest_of(blob), blob)
        for _ in range(options.count):
            report.fault(_round(server, random, {digest_of(blob): len(blob)}))
    return report


def _round(server: Server, random: Random, blobs: dict[str, int]) -> list[str]:
    subject = image(blobs, random.randbytes(8).hex())
    name = digest_of(subject.body)
    referrers = [image(blobs, f"{name} {number}", (name, len(subject.body))) for number in range(ATTACHES)]
    doomed = set(random.sample(range(ATTACHES), ATTACHES // 2))
    with ThreadPoolExecutor(THREADS) as pool:
        answers = pool.map(lambda number: _attach(server, referrers[number], name, number in doomed), range(ATTACHES))
        found = [text for text in answers if text]
    found += [text for text in [_put(server, subject, "subject")] if text]
    wanted = sorted(digest_of(content.body) for n, content in enumerate(referrers) if n not in doomed)
    for _ in range(READS):  # each on a fresh connection: any worker may answer
        reply = Session(server, "faults/attach").send("GET", f"/v2/faults/attach/referrers/{name}")
        listed = sorted(entry["digest"] for entry in json.loads(reply.body)["manifests"]) if reply.status == 200 else []
        if listed != wanted:
            lost, extra = set(wanted) - set(listed), set(listed) - set(wanted)
            return [
                *found,
                f"I6: {len(listed)} listed, {len(wanted)} wanted; lost {sorted(lost)}, extra {sorted(extra)}",
            ]
    return found


def _attach(server: Server, content: Content, subject: str, delete: bool) -> str:
    """Push one referrer and perhaps delete it at once."""
    wrong = _put(server, content, "attach", subject)
    if wrong or not delete:
        return wrong
    path = f"/v2/faults/attach/manifests/{digest_of(content.body)}"
    try:
        reply = Session(server, "faults/attach").send("DELETE", path)
    except Lost as error:
        return f"delete: {error}"
    return "" if reply.status == 202 else f"delete: {told(reply)}"


def _put(server: Server, content: Content, what: str, subject: str = "") -> str:
    path = f"/v2/faults/attach/manifests/{digest_of(content.body)}"
    try:
        reply = Session(server, "faults/attach").send("PUT", path, content.body, Content_Type=content.media_type)
    except Lost as error:
        return f"{what}: {error}"
    if reply.status != 201:
        return f"{what}: {told(reply)}"
    named = reply.header("oci-subject")
    return "" if named == subject else f"{what}: OCI-Subject is {named!r}, not {subject!r}"


if __name__ == "__main__":
    sys.exit(main(check, count=20, about=__doc__))
