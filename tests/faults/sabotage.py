"""Ways to break the server on purpose, so that every fault check is seen to fail before it is believed.

Each wraps the ASGI application of any uvicorn server from outside and needs nothing of its code; `eatmydata` (fsync
that does nothing) is a program of its own, started in front of the server. Reached through sabotaged/sitecustomize.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import stat
import time
from collections.abc import Awaitable, Callable, MutableMapping
from types import FrameType
from typing import Any

from tests.faults.sabotage_shared import (
    know_own_sessions_only,
    let_every_writer_win,
    remember_rights,
    take_all_for_idle,
)
from tests.faults.stepwise import STEPPING, stepping

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
LATE = 0.4
HIDDEN = "hidden"  # in the name of a repository that nobody may see
_background: set[asyncio.Task[None]] = set()  # asyncio keeps only weak references to running tasks


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _replayed(body: bytes) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.sleep(3600)
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _swallow(_: Message) -> None:
    return


def acknowledge_early(app: App) -> App:
    """Answer 201 to a manifest at once and store it 0.4 s later (breaks A1, A3: I1, I3)."""

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT" or "/manifests/" not in scope["path"]:
            await app(scope, receive, send)
            return
        body = await _body(receive)

        async def later() -> None:
            await asyncio.sleep(LATE)
            await app(scope, _replayed(body), _swallow)

        task = asyncio.create_task(later())
        _background.add(task)
        task.add_done_callback(_background.discard)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        location = scope["path"].rpartition("/")[0] + "/" + digest
        headers = [(b"location", location.encode()), (b"docker-content-digest", digest.encode())]
        if subject := json.loads(body).get("subject"):
            headers.append((b"oci-subject", subject["digest"].encode()))
        await _answer(send, 201, headers)

    return broken


def stale_tags(app: App) -> App:
    """Answer a tag from memory for 0.3 s, in each worker for itself (breaks A1, A1w: I3)."""
    known: dict[str, tuple[float, list[Message]]] = {}

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        is_tag = scope["type"] == "http" and scope["method"] == "GET" and "/manifests/" in scope["path"]
        if not is_tag or "/manifests/sha256:" in scope["path"]:
            await app(scope, receive, send)
            return
        at, messages = known.get(scope["path"], (0.0, []))
        if time.monotonic() - at > 0.3:
            messages = []

            async def note(message: Message) -> None:
                messages.append(message)

            await app(scope, receive, note)
            known[scope["path"]] = time.monotonic(), messages
        for message in messages:
            await send(message)

    return broken


def skip_offset_check(app: App) -> App:
    """Hide Content-Range from the server, which then appends every chunk where it stands (breaks C5)."""

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"content-range"]
        await app(scope, receive, send)

    return broken


def lie_about_range(app: App) -> App:
    """Say in the status of an upload that seven bytes more have arrived (breaks C6)."""

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        async def lying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, _more(name, value)) for name, value in message["headers"]]
            await send(message)

        is_status = scope["type"] == "http" and scope["method"] == "GET" and "/uploads/" in scope["path"]
        await app(scope, receive, lying if is_status else send)

    return broken


def _more(name: bytes, value: bytes) -> bytes:
    return b"0-%d" % (int(value.partition(b"-")[2]) + 7) if name.lower() == b"range" else value


def trust_what_is_there(app: App) -> App:
    """Answer 201 to a blob that the server can already HEAD, without storing it again (breaks C3: no healing)."""

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        query = scope.get("query_string", b"").decode()
        if scope["type"] != "http" or scope["method"] != "PUT" or "/uploads/" not in scope["path"]:
            await app(scope, receive, send)
            return
        digest = query.rpartition("digest=")[2].replace("%3A", ":")
        path = scope["path"].partition("/uploads/")[0] + "/" + digest
        statuses: list[int] = []

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        head = dict(scope) | {"method": "HEAD", "path": path, "raw_path": path.encode(), "query_string": b""}
        head["headers"] = [pair for pair in scope["headers"] if pair[0] not in (b"content-length", b"content-type")]
        await app(head, _replayed(b""), note)
        if statuses == [200]:
            await _body(receive)
            await _answer(send, 201, [(b"location", path.encode()), (b"docker-content-digest", digest.encode())])
        else:
            await app(scope, receive, send)

    return broken


def lose_referrers(app: App) -> App:
    """Leave out one referrer in fifty from the store, though it is answered with 201 (breaks C8)."""
    early = acknowledge_early(_nothing)

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        put = scope["type"] == "http" and scope["method"] == "PUT" and "/manifests/sha256:" in scope["path"]
        await (early if put and random.random() < 0.02 else app)(scope, receive, send)

    return broken


async def _nothing(_: Message, __: Receive, ___: Send) -> None:
    return


def skip_directory_sync(app: App) -> App:
    """Sync files but no directories (breaks A3 where the catalogue has a volume of its own: I2)."""
    _skip_sync(stat.S_ISDIR)
    return app


def skip_file_sync(app: App) -> App:
    """Sync directories but no blobs (breaks A3: I2, files that are empty after the cut)."""
    _skip_sync(stat.S_ISREG)
    return app


def _skip_sync(kind: Callable[[int], bool]) -> None:
    def broken(sync: Callable[[Any], None]) -> Callable[[Any], None]:
        return lambda fd: None if kind(os.fstat(fd).st_mode) else sync(fd)

    for name in ("fsync", "fdatasync"):  # SQLite's own syncs are not Python's
        setattr(os, name, broken(getattr(os, name)))


def deaf(app: App) -> App:
    """Ignore SIGTERM (breaks A8: never exits)."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _ignore)
    signal.signal = lambda *_: None  # the server's own handlers must not replace ours
    return app


def _ignore(_: int, __: FrameType | None) -> None:
    return


def die_at_once(app: App) -> App:
    """Exit without a drain at SIGTERM (breaks A8: requests in flight are cut, and the status is not 0)."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(3))
    signal.signal = lambda *_: None  # as above
    return app


def block_the_loop(app: App) -> App:
    """Compute for 0.3 s on the event loop at every upload (breaks E4: normal clients wait)."""

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "/uploads/" in scope["path"]:
            time.sleep(0.3)  # on the loop, as a synchronous hash or query would
        await app(scope, receive, send)

    return broken


def stay_full(app: App) -> App:
    """After the first 507 answer 500 in plain text to every push (breaks A5: wrong form, no recovery)."""
    full = False

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            nonlocal full
            full = full or (message["type"] == "http.response.start" and message["status"] in (503, 507))
            await send(message)

        if full and scope["type"] == "http" and scope["method"] in ("POST", "PUT", "PATCH"):
            await _body(receive)
            await _answer(send, 500, [(b"content-type", b"text/plain")], b"Internal Server Error")
        else:
            await app(scope, receive, watch)

    return broken


def tell_by_time(app: App) -> App:
    """Take a millisecond longer where a request is about a hidden repository (isolation by time)."""

    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and HIDDEN in scope["path"] + scope["query_string"].decode("latin-1"):
            await asyncio.sleep(0.001)
        await app(scope, receive, send)

    return broken


def guess_freely(app: App) -> App:
    """Count no failed sign-in (breaks D5: nothing is slowed down)."""
    from registry.accounts.throttle import Throttle

    Throttle.check = lambda *_, **__: None  # type: ignore[method-assign]  # that is what a sabotage is
    return app


def hash_all_at_once(app: App) -> App:
    """Check every password that comes in at the same time (breaks D5: memory, and pulls wait)."""
    from auth.passwords import PasswordHasher
    from registry.edge.doorman import Doorman
    from registry.oci.errors import ErrorCode, RegistryError

    async def let_in(self: Doorman, name: str, secret: str, *_: object) -> None:
        await asyncio.to_thread(PasswordHasher().waste, secret)
        raise RegistryError(ErrorCode.UNAUTHORIZED)

    Doorman.sign_in = let_in  # type: ignore[method-assign, assignment]  # as above
    return app


ACTS: dict[str, Callable[[App], App]] = {
    act.__name__.replace("_", "-"): act
    for act in (
        acknowledge_early,
        stale_tags,
        skip_offset_check,
        lie_about_range,
        trust_what_is_there,
        lose_referrers,
        skip_directory_sync,
        skip_file_sync,
        deaf,
        die_at_once,
        block_the_loop,
        stay_full,
        tell_by_time,
        guess_freely,
        hash_all_at_once,
        know_own_sessions_only,
        let_every_writer_win,
        remember_rights,
        take_all_for_idle,
    )
}


BROKEN_MOVES = frozenset({"leave-out-the-seal", "copy-once"})


def install(name: str) -> None:
    """Make every uvicorn server of this process serve a broken application, or break a move of the catalog."""
    if name in BROKEN_MOVES:
        from tests.faults.unsound_moves import MOVES

        MOVES[name]()
        return
    from uvicorn import Config

    load = Config.load

    def broken_load(self: Config) -> None:
        load(self)
        self.loaded_app = stepping(name)(self.loaded_app) if name.startswith(STEPPING) else ACTS[name](self.loaded_app)

    Config.load = broken_load  # type: ignore[method-assign]  # that is what a sabotage is
