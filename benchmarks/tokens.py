"""What accounts cost a hot pull: one manifest from two servers of one peer, in open mode and with a token.

The second server is this row's own: with accounts, the image pushed by Basic, and one token for the whole load, as a
node that pulls keeps it. Both are measured in turn within a sample, so that their ratio is of one moment.
"""

import base64
import json
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import seed
from benchmarks.bench import Bench, Skipped
from benchmarks.loads import Rate, wrk
from benchmarks.peers import Peer, Place
from benchmarks.running import Running, start
from benchmarks.wire import Client

PASSWORD = "mooring-lines-and-bollards"  # noqa: S105  # of a server that lives for one benchmark
REPOSITORY = seed.SMALL
CONNECTIONS = 16
ALTERNATIONS = 3

REQUESTS, RATIO, COST = "requests/s with a token", "open mode / with a token", "CPU µs/request with a token"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server with accounts, and a token that may pull what was pushed there."""

    running: Running
    token: str


def get_with_token(path: str) -> Callable[[Bench, Peer], dict[str, float]]:
    """GET a manifest from both servers in turn."""

    def measure(bench: Bench, peer: Peer) -> dict[str, float]:
        if not peer.is_moorage:
            raise Skipped("its accounts are another program's")
        guarded = bench.shared(f"{peer.name}-accounts", lambda place, stack: _guarded(bench, peer, place, stack))
        opened = bench.seeded(peer, "image", seed.seed_image)
        script = bench.scratch / "report.lua"
        open_rate, token_rate, spent = 0.0, 0.0, 0.0
        served = 0
        for _ in range(ALTERNATIONS):
            open_rate += _rate(bench, opened, path, script, "").per_second
            before = guarded.running.cpu_seconds()
            rate = _rate(bench, guarded.running, path, script, f"Bearer {guarded.token}")
            spent += guarded.running.cpu_seconds() - before
            token_rate, served = token_rate + rate.per_second, served + rate.requests
        return {REQUESTS: token_rate / ALTERNATIONS, RATIO: open_rate / token_rate, COST: spent / served * 1e6}

    return measure


def _rate(bench: Bench, running: Running, path: str, script: Path, authorization: str) -> Rate:
    return wrk(
        running.port,
        (path,),
        seconds=bench.seconds,
        connections=CONNECTIONS,
        script=script,
        headers={"Authorization": authorization} if authorization else None,
    )


def _guarded(bench: Bench, peer: Peer, directory: Path, stack: ExitStack) -> Guarded:
    environment = {
        **peer.environment,
        "MOORAGE_ADMIN__PASSWORD": PASSWORD,
        "MOORAGE_AUTH__TOKEN_LIFETIME": "3600",  # the load takes longer than five minutes
    }
    running = start(replace(peer, configure=_without_open(peer), environment=environment), directory, bench.workers)
    stack.callback(running.stop)
    basic = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode("ascii")
    client = Client(running.port, headers={"authorization": basic})
    for blob in (seed.CONFIG, *seed.LAYERS):
        client.push_small(REPOSITORY, blob)
    client.put_manifest(REPOSITORY, seed.TAG, seed.IMAGE)
    client.close()
    return Guarded(running, _token(running, basic))


def _without_open(peer: Peer) -> Callable[[Place], list[str]]:
    return lambda place: [word for word in peer.configure(place) if word != "--open"]


def _token(running: Running, basic: str) -> str:
    address = f"{running.url}/token?service=moorage&scope=repository:{REPOSITORY}:pull"
    with urllib.request.urlopen(urllib.request.Request(address, headers={"authorization": basic})) as answer:
        return str(json.load(answer)["token"])
